//! Which language a text is in: by its script, and for the scripts that many share by small words and letters. It tells the
//! 26 of [`KNOWN`] apart in a sentence or more; of a few words, of code or of names it says nothing.

use std::collections::BTreeMap;

/// The most bytes that are read.
const MOST: usize = 4 << 10;

/// The languages that are told apart, by their codes of ISO 639-1.
pub const KNOWN: [&str; 26] = [
    "ar", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "it", "ja", "ko", "nl", "pl", "pt",
    "ro", "ru", "sv", "th", "tr", "uk", "zh",
];

/// Small words that are frequent in one language and rare in the others, and letters of its own.
const LATIN: [(&str, &str, &str); 15] = [
    ("en", "the and of to is that it for with you this are was have not be on what my please how can your from", ""),
    (
        "de",
        "der die und das ist nicht ich sie mit ein eine zu den von auf für wie bitte dem auch es sich kann wir werden mein",
        "ß",
    ),
    (
        "fr",
        "le la les et est des une que pas pour dans vous je qui sur avec ce il du nous mon au mais elle être comment",
        "œç",
    ),
    (
        "es",
        "el la los y es que de una por con para no las se lo un está cómo mi pero más del como puede qué usted",
        "ñ¿¡",
    ),
    ("it", "il la che di è una per non con sono gli del le mi come della questo anche si ho nel più alla perché", "ìò"),
    ("pt", "o a que de não uma para com os é do da em por como você se mais meu minha ao está são isso", "ãõ"),
    ("nl", "de het een en van is dat niet ik je voor met zijn op te hoe kan mijn maar ook aan naar wordt deze", "ĳ"),
    ("pl", "i w nie na się to jest z że do jak mi czy dla ale po od przez mój tylko może proszę co są", "łąęśżźćń"),
    ("sv", "och är att det en som för på inte jag med av till hur kan den ett min du har om vi var från", ""),
    ("da", "og er at det en som for på ikke jeg med af til hvordan kan den et min du har om vi hvad fra", "ø"),
    ("fi", "ja on ei että se en mutta kuin hän olen minun miten voi ole tämä oli kun myös ovat niin joka mitä", ""),
    ("cs", "a je se na že to v jak s pro ale jsem není jako do si po od může prosím které bude byl ve", "ěřů"),
    (
        "tr",
        "ve bir bu için ne de da ile çok nasıl ben mi var daha gibi olarak ama değil benim lütfen olan kadar",
        "ğıİ",
    ),
    ("ro", "și este de la nu un o pe cu că în pentru mai să care din ce am sunt cum dar fi ca îmi", "țșă"),
    ("hu", "a az és hogy nem is egy van ez de meg csak mint ki mi hogyan kérem vagy volt már még lehet ha", "őű"),
];

/// What a text is in, if it can be told.
#[must_use]
pub fn of(text: &str) -> Option<&'static str> {
    let text = text.get(..text.floor_char_boundary(MOST)).unwrap_or(text);
    let mut scripts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut letters = 0_usize;
    for letter in text.chars().filter(|letter| letter.is_alphabetic()) {
        letters += 1;
        if let Some(script) = script(letter) {
            *scripts.entry(script).or_default() += 1;
        }
    }
    let (script, count) = scripts.iter().max_by_key(|(_, count)| **count)?;
    if *count * 2 < letters {
        return None;
    }
    let has = |any: &[char]| text.contains(any);
    Some(match *script {
        "latin" => return latin(text),
        "cyrillic" if has(&['і', 'ї', 'є', 'ґ']) => "uk",
        "cyrillic" if *count >= 8 => "ru",
        "arabic" if has(&['پ', 'چ', 'ژ', 'گ']) => "fa",
        "arabic" if *count >= 4 => "ar",
        "han" if scripts.get("kana").is_some_and(|kana| *kana * 10 > *count) => "ja",
        "han" if *count >= 2 => "zh",
        "kana" => "ja",
        "hangul" => "ko",
        "hebrew" => "he",
        "greek" => "el",
        "devanagari" => "hi",
        "thai" => "th",
        _ => return None,
    })
}

fn script(letter: char) -> Option<&'static str> {
    Some(match letter {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' => "latin",
        '\u{400}'..='\u{52f}' => "cyrillic",
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => "greek",
        '\u{590}'..='\u{5ff}' => "hebrew",
        '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => "arabic",
        '\u{900}'..='\u{97f}' => "devanagari",
        '\u{e00}'..='\u{e7f}' => "thai",
        '\u{3040}'..='\u{30ff}' => "kana",
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' => "han",
        '\u{ac00}'..='\u{d7af}' | '\u{1100}'..='\u{11ff}' => "hangul",
        _ => return None,
    })
}

/// By small words and letters: the language with the most, if it has two and more than any other.
fn latin(text: &str) -> Option<&'static str> {
    let mut best = (None, 0, 0);
    for (language, words, letters) in LATIN {
        let mut score = 0;
        for word in text.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty()) {
            let word = word.to_lowercase();
            score += 2 * usize::from(words.split(' ').any(|known| known == word));
        }
        score += text
            .chars()
            .filter(|letter| letters.contains(letter.to_lowercase().next().unwrap_or(*letter)))
            .take(6)
            .count();
        let (_, most, _) = best;
        if score > most {
            best = (Some(language), score, most);
        } else if score > best.2 {
            best.2 = score;
        }
    }
    let (language, most, second) = best;
    language.filter(|_| most >= 4 && most > second)
}
