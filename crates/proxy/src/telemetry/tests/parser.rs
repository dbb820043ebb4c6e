//! A strict reader of both text formats: it takes what the specifications allow and nothing else, so that no scraper
//! stumbles over what the gateway writes.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::Format;

/// A sample: its name, its labels, its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

/// All samples of a text. Panics at the first thing that is wrong.
pub(super) struct Scrape {
    pub(super) samples: Vec<Sample>,
    /// Kind by family.
    pub(super) kinds: HashMap<String, String>,
}

impl Scrape {
    pub(super) fn read(text: &str, format: Format) -> Self {
        assert!(text.ends_with('\n') && !text.contains('\r'));
        let mut scrape = Scrape { samples: Vec::new(), kinds: HashMap::new() };
        let mut family = Family::default();
        let mut helped = HashSet::new();
        let mut ended = false;
        for line in text.lines() {
            assert!(!ended, "after # EOF: {line}");
            assert!(!line.is_empty() && line.trim() == line, "{line:?}");
            match line.strip_prefix("# ") {
                Some("EOF") if format == Format::OpenMetrics => ended = true,
                Some(comment) => {
                    let (word, rest) = comment.split_once(' ').expect("a comment says something");
                    let (name, rest) = rest.split_once(' ').expect("about a family");
                    check_name(name, true);
                    match word {
                        "HELP" => {
                            assert!(helped.insert(name.to_owned()), "two HELP of {name}");
                            family.end(&scrape);
                            family = Family { name: name.to_owned(), ..Family::default() };
                            assert!(!rest.is_empty());
                        }
                        "TYPE" => {
                            assert_eq!(name, family.name, "TYPE follows HELP");
                            let known = ["counter", "gauge", "histogram"];
                            assert!(
                                known.contains(&rest) || (rest == "info" && format == Format::OpenMetrics),
                                "{rest}"
                            );
                            assert!(scrape.kinds.insert(name.to_owned(), rest.to_owned()).is_none());
                            family.kind = rest.to_owned();
                        }
                        "UNIT" => {
                            assert!(format == Format::OpenMetrics && name == family.name);
                            assert!(name.ends_with(&format!("_{rest}")), "{name} ends with its unit {rest}");
                        }
                        other => panic!("unknown comment {other}"),
                    }
                }
                None => {
                    let sample = read_sample(line);
                    family.check(&sample, format);
                    family.samples.push(sample.clone());
                    scrape.samples.push(sample);
                }
            }
        }
        family.end(&scrape);
        assert_eq!(ended, format == Format::OpenMetrics);
        let mut seen = HashSet::new();
        for sample in &scrape.samples {
            assert!(seen.insert((sample.name.clone(), sample.labels.clone())), "twice: {sample:?}");
        }
        scrape
    }

    /// The value of a sample with just these labels.
    pub(super) fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted: BTreeMap<_, _> = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        self.samples.iter().find(|sample| sample.name == name && sample.labels == wanted).map(|sample| sample.value)
    }
}

#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    samples: Vec<Sample>,
}

impl Family {
    /// Whether the sample belongs to the family that was begun.
    fn check(&self, sample: &Sample, format: Format) {
        let suffixes: &[&str] = match (self.kind.as_str(), format) {
            ("counter", Format::OpenMetrics) => &["_total"],
            ("info", Format::OpenMetrics) => &["_info"],
            ("counter" | "gauge", _) => &[""],
            ("histogram", _) => &["_bucket", "_sum", "_count"],
            other => panic!("{} has no type: {other:?}", self.name),
        };
        let suffix = sample.name.strip_prefix(&self.name);
        assert!(suffix.is_some_and(|suffix| suffixes.contains(&suffix)), "{} in {}", sample.name, self.name);
        assert_eq!(sample.labels.contains_key("le"), suffix == Some("_bucket"), "{sample:?}");
        if self.kind == "counter" {
            assert!(sample.value >= 0.0 && sample.name.ends_with("_total"), "{sample:?}");
        }
    }

    /// Checks histograms, once the family is whole.
    fn end(&self, _scrape: &Scrape) {
        assert!(self.name.is_empty() || !self.samples.is_empty(), "{} has no sample", self.name);
        if self.kind != "histogram" {
            return;
        }
        let mut by_labels: HashMap<BTreeMap<String, String>, Vec<&Sample>> = HashMap::new();
        for sample in &self.samples {
            let mut labels = sample.labels.clone();
            labels.remove("le");
            by_labels.entry(labels).or_default().push(sample);
        }
        for samples in by_labels.values() {
            let of = |suffix: &str| {
                let found = samples.iter().filter(|sample| sample.name == format!("{}{suffix}", self.name));
                found.copied().collect::<Vec<&Sample>>()
            };
            let (buckets, sums, counts) = (of("_bucket"), of("_sum"), of("_count"));
            assert!(sums.len() == 1 && counts.len() == 1, "{samples:?}");
            let bounds: Vec<f64> = buckets.iter().map(|bucket| number(&bucket.labels["le"])).collect();
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]) && bounds.last() == Some(&f64::INFINITY));
            assert!(buckets.windows(2).all(|pair| pair[0].value <= pair[1].value), "not cumulative: {buckets:?}");
            assert_eq!(buckets.last().unwrap().value, counts[0].value);
            assert!(sums[0].value >= 0.0);
        }
    }
}

fn read_sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).expect("a sample has a value");
    let (name, mut rest) = line.split_at(end);
    check_name(name, true);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").expect("a label has a quoted value");
            check_name(label, false);
            let (value, after) = read_quoted(after);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{label} twice in {line}");
            match after.split_at(1) {
                (",", more) => rest = more,
                ("}", more) => {
                    rest = more;
                    break;
                }
                other => panic!("{other:?} in {line}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').expect("one space before the value");
    Sample { name: name.to_owned(), labels, value: number(value) }
}

fn read_quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, text.split_at(at + 1).1),
            '\\' => match chars.next() {
                Some((_, '\\')) => value.push('\\'),
                Some((_, '"')) => value.push('"'),
                Some((_, 'n')) => value.push('\n'),
                other => panic!("bad escape {other:?}"),
            },
            c => value.push(c),
        }
    }
    panic!("no closing quote in {text}");
}

fn check_name(name: &str, colon: bool) {
    let first = name.chars().next().expect("a name is not empty");
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colon && c == ':');
    assert!(!first.is_ascii_digit() && name.chars().all(good), "{name}");
}

fn number(text: &str) -> f64 {
    let plain = |c: char| c.is_ascii_digit() || ".+-eE".contains(c);
    assert!(text == "+Inf" || text.chars().all(plain), "{text}");
    text.parse().expect("a number")
}

#[test]
fn the_reader_refuses_what_is_wrong() {
    let good = "# HELP a_total b\n# TYPE a_total counter\na_total{x=\"1\"} 2\n";
    Scrape::read(good, Format::Prometheus);
    for wrong in [
        "a_total 1\n",
        "# HELP a_total b\n# TYPE a_total counter\n",
        "# HELP a_total b\n# TYPE a_total counter\na_total 1",
        "# HELP a_total b\n# TYPE a_total counter\na_total  1\n",
        "# HELP a_total b\n# TYPE a_total counter\na_total -1\n",
        "# HELP a_total b\n# TYPE a_total counter\na_total{x=\"\\q\"} 1\n",
        "# HELP a_total b\n# TYPE a_total counter\na_total 1\na_total 2\n",
        "# HELP a b\n# TYPE a histogram\na_bucket{le=\"1.0\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 0\na_count 1\n",
    ] {
        let read = std::panic::catch_unwind(|| Scrape::read(wrong, Format::Prometheus));
        assert!(read.is_err(), "{wrong}");
    }
}
