use super::crawlers::Crawlers;
use crate::exchange::testing::{answer_to, environment, exchange_of, program, try_program};
use crate::exchange::{Body, Exchange};
use crate::policies::{Outcome, Verdict};

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ bot: {policy} }}, to: {{ respond: {{ body: "[{{{{ client.bot }}}}]" }} }} }}]
"#
    )
}

fn exchange(policy: &str, agents: &[&str]) -> Box<Exchange> {
    let mut request = http::Request::get("/");
    for agent in agents {
        request = request.header("user-agent", *agent);
    }
    exchange_of(&program(&configuration(policy)), request.body(Body::Empty).unwrap())
}

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const GOOGLE: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
const GPT: &str =
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)";

#[test]
fn bots_are_told_by_what_they_say() {
    let by_category = "{ categories: { search-engine: pass, ai-crawler: deny, http-library: deny } }";
    for (policy, agents, says) in [
        ("{}", &[FIREFOX][..], Some("[]")),
        ("{}", &[GOOGLE], Some("[Googlebot]")),
        ("{}", &[], None),
        ("{}", &[""], None),
        ("{}", &["  "], None),
        ("{ empty: tag }", &[], Some("[empty]")),
        ("{ empty: pass }", &[], Some("[]")),
        ("{ known: deny }", &[GOOGLE], None),
        ("{ known: deny }", &[FIREFOX], Some("[]")),
        ("{ known: deny }", &[FIREFOX, GOOGLE], None),
        ("{ known: pass }", &[GOOGLE], Some("[]")),
        ("{ known: deny, allow: [googlebot] }", &[GOOGLE], Some("[]")),
        ("{ deny: ['^mozilla/5'] }", &[FIREFOX], None),
        ("{ deny: ['^mozilla/5'], allow: [firefox/] }", &[FIREFOX], Some("[]")),
        (by_category, &[GOOGLE], Some("[]")),
        (by_category, &[GPT], None),
        (by_category, &["curl/8.9.1"], None),
        ("{ known: deny, mode: shadow }", &[GOOGLE], Some("[Googlebot]")),
    ] {
        let answer = answer_to(exchange(policy, agents));
        let found = (answer.status() == 200).then(|| String::from_utf8_lossy(answer.body()).into_owned());
        assert_eq!(found.as_deref(), says, "{policy} {agents:?}");
    }
}

#[test]
fn the_reason_is_for_the_log() {
    let refused = |policy: &str| {
        let mut x = exchange(policy, &[GOOGLE]);
        let program = x.local.program.clone();
        let plan = program.routes.iter().find(|plan| !plan.steps.is_empty()).unwrap();
        match plan.steps[0].step.request(&mut x) {
            Verdict::Done(Outcome::Fail(error)) => *error,
            _ => panic!("not refused"),
        }
    };
    let hidden = refused("{ known: deny }");
    assert_eq!((hidden.code.name, hidden.detail.as_ref()), ("bot.denied", "The caller may not do this."));
    assert_eq!(hidden.cause.unwrap().to_string(), "the user agent tells the bot `Googlebot`");
    let told = refused("{ known: deny, tell: client }");
    assert_eq!(told.detail, "The caller may not do this: bots are not let in here.");
}

/// Every row of the table is compiled, nearly all of them as plain text, and browsers are in none.
#[test]
fn the_table_is_whole() {
    let crawlers = Crawlers::get();
    let (rows, texts, others, other_rows) = crawlers.sizes();
    assert!(rows >= 1400 && texts >= 1300, "{rows} rows, {texts} texts");
    assert!(others == other_rows && others > 0 && others < 150, "{others} of {other_rows}");
    assert_eq!(crawlers.categories().count(), 12);
    for browser in [
        FIREFOX,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0",
    ] {
        assert_eq!(crawlers.find(browser).and_then(|row| crawlers.name(row)), None, "{browser}");
    }
    for (agent, name) in [(GOOGLE, "Googlebot"), (GPT, "GPTBot"), ("Wget/1.21", "wget"), ("curl/8.9.1", "curl")] {
        assert_eq!(crawlers.find(agent).and_then(|row| crawlers.name(row)).as_deref(), Some(name), "{agent}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ deny: ['('] }", "`(` is no good pattern"),
        ("{ deny: ['.*'] }", "it matches everything"),
        ("{ deny: ['(?=a)'] }", "is no good pattern"),
        ("{ deny: ['(((a{100}){100}){100})'] }", "too large"),
        ("{ categories: { seoo: deny } }", "did you mean `seo`?"),
        ("{ categories: { seo: refuse } }", "refuse"),
        ("{ empty: block }", "block"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
