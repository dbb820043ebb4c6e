//! A browser, so far as a login needs one: it keeps cookies by host, and follows redirects.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use e2e::client::{Answer, call};

/// What a browser says when a person opens a page.
pub const PAGE: [&str; 3] =
    ["accept: text/html,application/xhtml+xml,*/*;q=0.8", "sec-fetch-mode: navigate", "sec-fetch-dest: document"];
/// What it says when a script fetches.
pub const SCRIPT: [&str; 3] = ["accept: application/json", "sec-fetch-mode: cors", "sec-fetch-dest: empty"];
/// Redirects that are followed.
const MOST: usize = 20;

/// Cookies by host, and where hosts are.
#[derive(Clone, Default)]
pub struct Browser {
    hosts: HashMap<String, SocketAddr>,
    jars: HashMap<String, BTreeMap<String, String>>,
    /// Lines that every request has.
    pub always: Vec<String>,
}

/// Where a browser got to.
pub struct Arrived {
    pub url: String,
    pub answer: Answer,
}

impl Browser {
    /// One that finds `app.test` here.
    pub fn new(gate: SocketAddr) -> Self {
        Self::at("app.test", gate)
    }

    /// One that finds this host here.
    pub fn at(host: &str, gate: SocketAddr) -> Self {
        let mut browser = Self::default();
        browser.hosts.insert(host.to_owned(), gate);
        browser
    }

    /// The same, as this user at the provider.
    pub fn of(gate: SocketAddr, user: &str) -> Self {
        let mut browser = Self::new(gate);
        browser.always.push(format!("x-user: {user}"));
        browser
    }

    /// The cookies of a host.
    pub fn cookies(&mut self, host: &str) -> &mut BTreeMap<String, String> {
        self.jars.entry(host.to_owned()).or_default()
    }

    /// The cookies of `app.test` whose names hold this.
    pub fn named(&self, part: &str) -> Vec<(String, String)> {
        let jar = self.jars.get("app.test").into_iter().flatten();
        jar.filter(|(name, _)| name.contains(part)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// One request, with cookies, without following anything.
    pub fn send(&mut self, method: &str, url: &str, headers: &[&str], body: &str) -> Answer {
        let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("not a URL: {url}"));
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let address = self.hosts.get(host).copied().or_else(|| host.parse().ok());
        let address = address.unwrap_or_else(|| panic!("nobody knows where {host} is"));
        let mut lines = vec![format!("host: {host}")];
        let jar = self.jars.entry(host.to_owned()).or_default();
        if !jar.is_empty() {
            let cookies: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            lines.push(format!("cookie: {}", cookies.join("; ")));
        }
        lines.extend(self.always.iter().cloned());
        lines.extend(headers.iter().map(|line| (*line).to_owned()));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let answer = call(address, method, path, &lines, body);
        for (_, line) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            let ended =
                attributes.to_ascii_lowercase().contains("max-age=0") || attributes.contains("Thu, 01 Jan 1970");
            if ended {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Opens a page and follows redirects until there is one.
    pub fn open(&mut self, url: &str) -> Arrived {
        self.follow(url, |_| false)
    }

    /// The same, but stops at the redirect to a URL that `stop` knows.
    pub fn follow(&mut self, url: &str, stop: impl Fn(&str) -> bool) -> Arrived {
        let mut url = url.to_owned();
        for _ in 0..MOST {
            let answer = self.send("GET", &url, &PAGE, "");
            match location(&url, &answer) {
                Some(next) if stop(&next) => return Arrived { url: next, answer },
                Some(next) => url = next,
                None => return Arrived { url, answer },
            }
        }
        panic!("{MOST} redirects, the last to {url}");
    }

    /// Begins a login at this page and stops before the provider is asked: its URL.
    pub fn begin(&mut self, page: &str) -> String {
        let answer = self.send("GET", page, &PAGE, "");
        assert_eq!(answer.status, 302, "{}", answer.text());
        location(page, &answer).expect("it leads to the provider")
    }

    /// Logs in from this page and stops before the callback: its URL.
    pub fn until_callback(&mut self, page: &str) -> String {
        let arrived = self.follow(page, |url| url.starts_with("http://app.test/app/callback"));
        assert!(arrived.url.contains("/app/callback?"), "{}: {}", arrived.url, arrived.answer.text());
        arrived.url
    }
}

/// Where an answer sends a browser.
pub fn location(from: &str, answer: &Answer) -> Option<String> {
    let to = answer.header("location").filter(|_| (300..400).contains(&answer.status))?;
    let origin = from.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    Some(if to.starts_with('/') { format!("{origin}{to}") } else { to.to_owned() })
}

/// A parameter of a URL, as it stands.
pub fn parameter<'u>(url: &'u str, name: &str) -> Option<&'u str> {
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name)).map(|(_, value)| value)
}
