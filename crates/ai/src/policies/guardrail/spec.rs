//! What a user writes, and what it compiles to.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use model::load::{Span, Spanned};
use model::resource::UpstreamProtocol;
use model::value::{ByteSize, OneOrMany, Secret};
use proxy::calls::{Remote, RemoteSpec};
use proxy::program::Compile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Guarding;
use super::check::{Act, Check, Checked, What};
use super::outside::{How, Outside};
use crate::fleet::Fleet;
use crate::guard::words::{MOST as MOST_WORDS, Term, Words};
use crate::guard::{Kind, injection, language};
use crate::prompts::Schema;

/// The most checks of a side.
const MOST_CHECKS: usize = 32;
/// The most bytes of an answer of those who are asked.
const MOST_ANSWER: usize = 256 << 10;

/// Guards the words of calls of models: finds personal data, secrets, words, injections, languages and whatever others say,
/// in what is asked and in what is answered, and blocks the call, masks what was found, notes it, or sends the call to
/// another model. Masked texts get placeholders such as `[EMAIL_1]`, which the answer is freed of again. Streams stay
/// streams: only what might still become a finding waits. The checks run as they stand, each on what the one before it left.
///
/// What is found is counted in `tollgate_guardrail_findings_total` and stands in the access log (`guarded`) by the name of
/// the check, never in words. Where several levels have such a policy, each must let the call pass.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
#[schemars(rename = "Guardrail")]
pub(crate) struct Spec {
    /// Checks of what is asked, at most 32.
    request: Vec<Spanned<CheckSpec>>,
    /// Checks of what is answered, at most 32. `injection`, `moderation`, `webhook` and `route` are for requests alone.
    response: Vec<Spanned<CheckSpec>>,
    /// Whether what was masked in a request is put back into its answer.
    restore: Restoring,
    /// Whether the checks act.
    mode: Mode,
}

/// Whether what was masked in a request is put back into its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "GuardrailRestore")]
pub(super) enum Restoring {
    /// It is: in texts and in arguments of tools.
    #[default]
    Answer,
    /// The caller sees the placeholders.
    Never,
}

/// Whether the checks act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "GuardrailMode")]
enum Mode {
    /// They do.
    #[default]
    Enforce,
    /// What they find is counted and stands in the access log; nothing is blocked, masked or sent elsewhere.
    Shadow,
}

/// One check. It looks for one thing: `personal`, `words` with `patterns`, `injection`, `languages`, `max_size`,
/// `schema`, `moderation` or `webhook`.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GuardrailCheck")]
struct CheckSpec {
    /// What logs and metrics call it; what it looks for, where nothing is said.
    name: Option<Spanned<String>>,
    /// Personal data and secrets of these kinds.
    personal: OneOrMany<Spanned<Personal>>,
    /// Words and phrases, in any case, whole.
    words: OneOrMany<Spanned<String>>,
    /// Regular expressions, in the syntax of the `regex` crate; a match takes 512 bytes at most.
    patterns: OneOrMany<Spanned<String>>,
    /// From how many `words` and `patterns` on it acts: what makes a topic of them. 1 when not given.
    at_least: Option<Spanned<u32>>,
    /// What looks like an attempt to make the model leave its instructions: heuristics, which miss and mistake some.
    injection: Option<InjectionSpec>,
    /// The language of what the user said last, or of the answer. Texts of which it cannot be told pass.
    languages: Option<LanguagesSpec>,
    /// The most bytes of text, of all messages together, or of the answer.
    max_size: Option<Spanned<ByteSize>>,
    /// The answer's text is JSON that keeps to a schema. An answer that calls tools need not.
    schema: Option<SchemaSpec>,
    /// Asks a server of OpenAI's moderation API about what the user and tools said last.
    moderation: Option<ModerationSpec>,
    /// Asks a server of your own about what the user and tools said last. It gets `{"check", "side", "model", "texts": [{"role",
    /// "text"}]}` by `POST` and answers `{"verdict": "allow"}` or `{"verdict": "deny"}`.
    webhook: Option<WebhookSpec>,
    /// What is done about it.
    action: Action,
}

/// What is done about a finding.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "GuardrailAction")]
enum Action {
    /// The call is refused in the caller's format; an answer is withheld, and a stream ends in an error.
    #[default]
    Block,
    /// What was found is replaced: in requests by `[EMAIL_1]`, in answers by `[EMAIL]`. For `personal`, `words` and `patterns`.
    Mask,
    /// It is counted and stands in the access log.
    Flag,
    /// The call goes to this model.
    Route(String),
}

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "GuardrailPersonal")]
pub(in crate::policies) enum Personal {
    /// All of these.
    All,
    /// Addresses of e-mail.
    Email,
    /// Telephone numbers: international, or national where their shape or the words before say so.
    Phone,
    /// Payment cards (issuer's prefix, length, Luhn).
    Card,
    /// Bank accounts (IBAN: country's length, mod 97).
    Iban,
    /// IPv4 and IPv6 addresses, but for loopback, masks and the unspecified.
    Ip,
    /// Social security numbers of the United States.
    Ssn,
    /// National insurance numbers of the United Kingdom.
    Nino,
    /// Resident identity numbers of China (date, mod 11-2).
    CnId,
    /// Tax identification numbers of Germany (mod 11,10).
    SteuerId,
    /// Social security numbers of France (key mod 97).
    Nir,
    /// Aadhaar numbers of India (Verhoeff).
    Aadhaar,
    /// Taxpayer numbers of Brazil (two check digits).
    Cpf,
    /// Keys, tokens and passwords: by known prefixes, by what they are assigned to, by entropy.
    Secret,
}

/// What looks like an injection.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GuardrailInjection")]
struct InjectionSpec {
    /// From which score on, 1 to 100: lower finds more, and mistakes more.
    threshold: Spanned<u8>,
}

impl Default for InjectionSpec {
    fn default() -> Self {
        Self { threshold: Spanned::from(injection::THRESHOLD) }
    }
}

/// Languages, by their codes of ISO 639-1: ar, cs, da, de, el, en, es, fa, fi, fr, he, hi, hu, it, ja, ko, nl, pl, pt, ro, ru,
/// sv, th, tr, uk, zh.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GuardrailLanguages")]
struct LanguagesSpec {
    /// Those that pass; all when not given.
    allow: OneOrMany<Spanned<String>>,
    /// Those that do not.
    deny: OneOrMany<Spanned<String>>,
}

/// What the answer's text keeps to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GuardrailSchema")]
struct SchemaSpec {
    /// A JSON Schema (Draft 2020-12), which refers to nothing outside of itself.
    json_schema: Spanned<serde_json::Value>,
    /// How often the model is told what is wrong and asked again, at most 3, before the answer is withheld. Streams are not: their
    /// text is out by then.
    #[serde(default)]
    repair: Spanned<u8>,
}

/// A server of OpenAI's moderation API.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GuardrailModeration")]
struct ModerationSpec {
    /// Where it is, whole: `https://api.openai.com/v1/moderations`.
    url: Spanned<String>,
    /// Its key. Best `${env:NAME}`.
    key: Option<Spanned<Secret<String>>>,
    /// The model that judges.
    model: Option<String>,
    /// The categories that count; all when not given.
    #[serde(default)]
    categories: OneOrMany<String>,
    /// From which score of a category on, above 0 and up to 1; what the server flags when not given.
    threshold: Option<Spanned<f64>>,
    /// What becomes of a call when it does not answer.
    #[serde(default)]
    on_error: OnError,
    /// How long it may take, and TLS towards it.
    #[serde(default)]
    #[schemars(extend("default" = { "timeout": "5s" }))]
    calls: RemoteSpec,
}

/// A server of your own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GuardrailWebhook")]
struct WebhookSpec {
    /// Where it is.
    url: Spanned<String>,
    /// What it gets as `Authorization`, such as `Bearer …`. Best `${env:NAME}`.
    authorization: Option<Spanned<Secret<String>>>,
    /// What becomes of a call when it does not answer.
    #[serde(default)]
    on_error: OnError,
    /// How long it may take, and TLS towards it.
    #[serde(default)]
    #[schemars(extend("default" = { "timeout": "5s" }))]
    calls: RemoteSpec,
}

/// What becomes of a call of which nobody can say anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "GuardrailOnError")]
enum OnError {
    /// It is refused with 503.
    #[default]
    Block,
    /// It passes.
    Allow,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

impl Spec {
    pub(super) fn compile(self, cx: &mut Compile<'_>) -> Option<Guarding> {
        if self.request.is_empty() && self.response.is_empty() {
            cx.problem(cx.span, "the policy checks nothing", "add `request:` or `response:`");
            return None;
        }
        let shadow = self.mode == Mode::Shadow;
        let request = side(self.request, Side::Request, shadow, cx);
        let response = side(self.response, Side::Response, shadow, cx);
        Some(Guarding { request: request?, response: Arc::new(response?), restoring: self.restore })
    }
}

fn side(written: Vec<Spanned<CheckSpec>>, side: Side, shadow: bool, cx: &mut Compile<'_>) -> Option<Checked> {
    if written.len() > MOST_CHECKS {
        cx.problem(cx.span, format!("more than {MOST_CHECKS} checks"), "join some of them");
        return None;
    }
    let checks: Vec<Option<Check>> =
        written.into_iter().map(|check| check.value.compile(check.span, side, shadow, cx)).collect();
    let checks: Vec<Check> = checks.into_iter().collect::<Option<_>>()?;
    for (at, check) in checks.iter().enumerate() {
        if checks.iter().take(at).any(|other| other.name == check.name) {
            cx.problem(cx.span, format!("two checks are named `{}`", check.name), "give each a `name` of its own");
            return None;
        }
    }
    Some(Checked::new(checks, move |check| if shadow { "shadow" } else { check.act.word() }))
}

impl CheckSpec {
    fn compile(self, span: Span, side: Side, shadow: bool, cx: &mut Compile<'_>) -> Option<Check> {
        let named = self.name.clone();
        let act = self.act(span, side, cx)?;
        let masks = matches!(act, Act::Mask);
        let (what, usual) = self.what(span, side, cx)?;
        let within = matches!(what, What::Personal(_) | What::Words(_, 1));
        if masks && !within {
            cx.problem(span, "only `personal`, `words` and `patterns` can be masked", "choose another `action`");
            return None;
        }
        let name: Arc<str> = named.as_ref().map_or(usual, |name| name.as_str()).into();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            cx.problem(span, "a check's name has 1 to 64 letters, digits, `-`, `_` or `.`", "mend `name`");
            return None;
        }
        let word = if shadow { "shadow" } else { act.word() };
        let tally = cx.env.telemetry.guarded(&name, word);
        Some(Check { name, what, act, tally })
    }

    fn act(&self, span: Span, side: Side, cx: &mut Compile<'_>) -> Option<Act> {
        Some(match &self.action {
            Action::Block => Act::Block,
            Action::Mask => Act::Mask,
            Action::Flag => Act::Flag,
            Action::Route(_) if side == Side::Response => {
                cx.problem(span, "an answer cannot go to another model", "choose another `action`");
                return None;
            }
            Action::Route(name) => {
                let Some(model) = Fleet::of(cx).model(name).cloned() else {
                    cx.problem(span, format!("unknown model `{name}`"), "name one of `ai.models`");
                    return None;
                };
                Act::Route(model)
            }
        })
    }

    /// What it looks for, and what that is called.
    fn what(self, span: Span, side: Side, cx: &mut Compile<'_>) -> Option<(What, &'static str)> {
        let listed = !self.words.is_empty() || !self.patterns.is_empty();
        let given = [
            !self.personal.is_empty(),
            listed,
            self.injection.is_some(),
            self.languages.is_some(),
            self.max_size.is_some(),
            self.schema.is_some(),
            self.moderation.is_some(),
            self.webhook.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            let help = "give one of `personal`, `words`/`patterns`, `injection`, `languages`, `max_size`, `schema`, `moderation`, `webhook`";
            cx.problem(span, "a check looks for one thing", help);
            return None;
        }
        let outside = self.injection.is_some() || self.moderation.is_some() || self.webhook.is_some();
        if side == Side::Response && outside {
            cx.problem(span, "this check is for requests alone", "move it to `request:`");
            return None;
        }
        let least = self.at_least.as_ref().map_or(1, |least| **least);
        if let Some(at_least) = self.at_least.as_ref().filter(|_| !listed || least == 0) {
            cx.problem(at_least.span, "`at_least` counts `words` and `patterns`, from 1 on", "mend it");
            return None;
        }
        if listed {
            return Some((What::Words(Box::new(words(&self.words, &self.patterns, cx)?), least), "words"));
        }
        if let Some(injection) = &self.injection {
            if !(1..=100).contains(&*injection.threshold) {
                cx.problem(injection.threshold.span, "`threshold` is not from 1 to 100", "mend it");
                return None;
            }
            return Some((What::Injection(*injection.threshold), "injection"));
        }
        if let Some(languages) = &self.languages {
            return Some((languages.compile(span, cx)?, "languages"));
        }
        if let Some(most) = &self.max_size {
            return Some((What::Size(most.get()), "max_size"));
        }
        if let Some(schema) = self.schema {
            return Some((schema.compile(span, side, cx)?, "schema"));
        }
        if let Some(moderation) = self.moderation {
            return Some((What::Outside(Box::new(moderation.compile(cx)?)), "moderation"));
        }
        if let Some(webhook) = self.webhook {
            return Some((What::Outside(Box::new(webhook.compile(cx)?)), "webhook"));
        }
        let kinds = self.personal.iter().flat_map(|kind| kind.kinds()).copied().collect();
        Some((What::Personal(kinds), "personal"))
    }
}

fn words(words: &[Spanned<String>], patterns: &[Spanned<String>], cx: &mut Compile<'_>) -> Option<Words> {
    let terms: Vec<Term<'_>> = words
        .iter()
        .map(|word| Term::Word(word))
        .chain(patterns.iter().map(|pattern| Term::Pattern(pattern)))
        .collect();
    match Words::compile(&terms) {
        Ok(words) => Some(words),
        Err((at, why)) => {
            let at = words.iter().chain(patterns).nth(at).map_or(cx.span, |term| term.span);
            cx.problem(
                at,
                format!("a word or pattern cannot be used: {why}"),
                format!("mend it; there are at most {MOST_WORDS}"),
            );
            None
        }
    }
}

impl Act {
    /// As logs and metrics tell it.
    const fn word(&self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Mask => "mask",
            Self::Flag => "flag",
            Self::Route(_) => "route",
        }
    }
}

impl Personal {
    pub(in crate::policies) const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::All => &Kind::ALL,
            Self::Email => &[Kind::Email],
            Self::Phone => &[Kind::Phone],
            Self::Card => &[Kind::Card],
            Self::Iban => &[Kind::Iban],
            Self::Ip => &[Kind::Ip],
            Self::Ssn => &[Kind::Ssn],
            Self::Nino => &[Kind::Nino],
            Self::CnId => &[Kind::CnId],
            Self::SteuerId => &[Kind::SteuerId],
            Self::Nir => &[Kind::Nir],
            Self::Aadhaar => &[Kind::Aadhaar],
            Self::Cpf => &[Kind::Cpf],
            Self::Secret => &[Kind::Secret],
        }
    }
}

impl LanguagesSpec {
    fn compile(&self, span: Span, cx: &mut Compile<'_>) -> Option<What> {
        if self.allow.is_empty() && self.deny.is_empty() {
            cx.problem(span, "`languages` allows and denies none", "add `allow` or `deny`");
            return None;
        }
        let known = |names: &[Spanned<String>], cx: &mut Compile<'_>| -> Option<Box<[&'static str]>> {
            let mut known = Vec::new();
            for name in names {
                let Some(language) = language::KNOWN.into_iter().find(|known| known == &name.as_str()) else {
                    let help = format!("write one of {}", language::KNOWN.join(", "));
                    cx.problem(name.span, format!("the language `{}` cannot be told", **name), help);
                    return None;
                };
                known.push(language);
            }
            Some(known.into())
        };
        Some(What::Languages { allow: known(&self.allow, cx)?, deny: known(&self.deny, cx)? })
    }
}

impl SchemaSpec {
    fn compile(self, span: Span, side: Side, cx: &mut Compile<'_>) -> Option<What> {
        if side == Side::Request {
            cx.problem(span, "this check is for responses alone", "move it to `response:`");
            return None;
        }
        if *self.repair > 3 {
            cx.problem(self.repair.span, "a model is asked again at most 3 times", "lower `repair`");
            return None;
        }
        match Schema::new(self.json_schema.value) {
            Ok(schema) => Some(What::Schema(Box::new(schema), *self.repair)),
            Err(why) => {
                cx.problem(self.json_schema.span, format!("the schema cannot be used: {why}"), "mend it");
                None
            }
        }
    }
}

impl ModerationSpec {
    fn compile(self, cx: &mut Compile<'_>) -> Option<Outside> {
        if let Some(threshold) =
            self.threshold.as_ref().filter(|threshold| !(***threshold > 0.0 && ***threshold <= 1.0))
        {
            cx.problem(threshold.span, "`threshold` is not above 0 and up to 1", "mend it");
            return None;
        }
        let mut fields = HeaderMap::new();
        if let Some(key) = &self.key {
            let shown = key.clone().map(|key| format!("Bearer {}", key.expose()));
            authorize(&mut fields, &shown, cx)?;
        }
        let how = How::Moderation {
            model: self.model.map(Into::into),
            categories: self.categories.iter().map(|name| name.as_str().into()).collect(),
            threshold: self.threshold.map(|threshold| *threshold),
        };
        outside(&self.url, &self.calls, fields, how, self.on_error, cx)
    }
}

impl WebhookSpec {
    fn compile(self, cx: &mut Compile<'_>) -> Option<Outside> {
        let mut fields = HeaderMap::new();
        if let Some(shown) = &self.authorization {
            authorize(&mut fields, &shown.clone().map(|shown| shown.expose().clone()), cx)?;
        }
        outside(&self.url, &self.calls, fields, How::Webhook, self.on_error, cx)
    }
}

fn authorize(fields: &mut HeaderMap, shown: &Spanned<String>, cx: &mut Compile<'_>) -> Option<()> {
    static NAME: HeaderName = AUTHORIZATION;
    let Ok(mut value) = HeaderValue::try_from(shown.as_str()) else {
        cx.problem(shown.span, "a credential has no control characters", "mend it");
        return None;
    };
    value.set_sensitive(true);
    fields.insert(&NAME, value);
    Some(())
}

fn outside(
    url: &Spanned<String>,
    calls: &RemoteSpec,
    fields: HeaderMap,
    how: How,
    on_error: OnError,
    cx: &mut Compile<'_>,
) -> Option<Outside> {
    let remote = Remote::compile(url, calls, UpstreamProtocol::Auto, MOST_ANSWER, cx)?;
    Some(Outside { remote, fields, how, lenient: on_error == OnError::Allow })
}
