//! What a policy or terminal sees while it is compiled: where it stands, the names it may refer to, and where its
//! problems go.

use std::any::{Any, TypeId};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};
use model::load::{Span, Spanned};
use model::problem::{Problem, Problems};
use model::resolve::unknown_name;
use model::resource::UpstreamTls;
use model::snapshot::Snapshot;
use store::shared::Shared;

use super::issuers::Issuers;
use super::{ConsumerSlot, Consumers, Early, Environment, Keep, UpstreamId};
use crate::clock::Clock;
use crate::expr::{Expr, Scope, Template};
use crate::geo::{self, Geo};
use crate::policies::Level;
use crate::stores::Ledger;
use crate::tokens::issue::OwnIssuer;

/// Where something stands in the configuration, by names.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The level.
    pub level: Level,
    /// The names from the outside in: listener; api; api and route; plan; consumer.
    pub names: Vec<String>,
}

impl Owner {
    /// The names joined, as a key for state.
    pub fn path(&self) -> String {
        format!("{}:{}", self.level.as_str(), self.names.join("/"))
    }
}

/// What is compiled once a program, by its type.
pub(super) type Made = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

/// What a policy or terminal sees while it is compiled.
pub struct Compile<'a> {
    /// Where it stands.
    pub owner: Owner,
    /// The instance's name; empty for the only one.
    pub instance: String,
    /// The policy's or terminal's kind.
    pub kind: &'static str,
    /// The place of its whole value.
    pub span: Span,
    /// The whole configuration.
    pub snapshot: &'a Snapshot,
    /// Who may call.
    pub consumers: &'a Arc<Consumers>,
    /// State that outlives the program.
    pub keep: &'a Keep,
    /// The program's clock.
    pub clock: &'a Clock,
    /// What everything is compiled with.
    pub env: &'a Environment,
    pub(super) problems: &'a mut Problems,
    pub(super) sensitive: &'a mut BTreeSet<String>,
    pub(super) path: String,
    pub(super) shared: Option<&'a Arc<Shared>>,
    pub(super) geo: Option<&'a Arc<Geo>>,
    pub(super) wants_disk: &'a mut bool,
    pub(super) issuers: &'a mut Issuers,
    pub(super) made: &'a mut Made,
    pub(super) early: &'a mut Vec<Early>,
    /// Whether an expression for the response side reads fields of the request's head.
    pub(super) keep_head: bool,
}

impl Compile<'_> {
    /// The path of its value, such as `apis[0].policies.cors`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where its problems go.
    pub fn problems(&mut self) -> &mut Problems {
        self.problems
    }

    /// Says that a header or query parameter of this name carries a credential, so that no log shows its value.
    pub fn sensitive(&mut self, name: &str) {
        self.sensitive.insert(name.to_ascii_lowercase());
    }

    /// Reports an error at a place: what is wrong, and how to mend it.
    pub fn problem(&mut self, at: Span, message: impl Into<String>, help: impl Into<String>) {
        let at = if at.is_none() { self.span } else { at };
        self.problems.push(Problem::error("config.policy", at, message).path(self.path.clone()).help(help));
    }

    /// The consumer of this name.
    pub fn consumer(&mut self, name: &Spanned<String>) -> Option<ConsumerSlot> {
        if let Some(known) = self.consumers.by_name(name) {
            return Some(known.slot);
        }
        if !self.problems.is_lost(name) {
            let consumers = self.consumers.clone();
            let known = consumers.iter().map(|consumer| &*consumer.name);
            self.problems.push(unknown_name("consumer", name, known, false).path(self.path.clone()));
        }
        None
    }

    /// The upstream of this name.
    pub fn upstream(&mut self, name: &Spanned<String>) -> Option<UpstreamId> {
        if let Some(&index) = self.snapshot.upstream_names.get(name.as_str()) {
            return u32::try_from(index).ok().map(UpstreamId);
        }
        if self.problems.is_lost(name) {
            // It is there, but has problems of its own, which are reported.
            return None;
        }
        let known = self.snapshot.upstream_names.keys().map(String::as_str);
        self.problems.push(unknown_name("upstream", name, known, false).path(self.path.clone()));
        None
    }

    /// A CEL expression over what `scope` knows, that gives text, a number or a boolean.
    pub fn expr(&mut self, text: &Spanned<String>, scope: Scope) -> Option<Expr> {
        let expr = self.found(Expr::compile(text, scope))?;
        self.knows(expr.reads_geo(), text.span);
        self.keep_head |= scope == Scope::Response && expr.reads_request_headers();
        Some(expr)
    }

    /// A CEL expression over what `scope` knows, that gives a boolean.
    pub fn condition(&mut self, text: &Spanned<String>, scope: Scope) -> Option<Expr> {
        let expr = self.found(Expr::condition(text, scope))?;
        self.knows(expr.reads_geo(), text.span);
        self.keep_head |= scope == Scope::Response && expr.reads_request_headers();
        Some(expr)
    }

    /// A template over what `scope` knows, escaped as this content type asks.
    pub fn template(&mut self, text: &Spanned<String>, content_type: &str, scope: Scope) -> Option<Template> {
        self.template_with(text, content_type, scope, &[])
    }

    /// The same with more names, which whoever renders it gives values.
    pub(crate) fn template_with(
        &mut self,
        text: &Spanned<String>,
        content_type: &str,
        scope: Scope,
        own: &'static [&'static str],
    ) -> Option<Template> {
        let template = self.found(Template::compile_with(text, content_type, scope, own))?;
        self.knows(template.reads_geo(), text.span);
        self.keep_head |= scope == Scope::Response && template.reads_request_headers();
        Some(template)
    }

    /// What is read of addresses has to be known.
    fn knows(&mut self, reads_geo: bool, at: Span) {
        if reads_geo && self.snapshot.geo.is_none() {
            let _ = self.geo(at);
        }
    }

    /// Reports the problems, where there are any.
    fn found<T>(&mut self, outcome: Result<T, Vec<Problem>>) -> Option<T> {
        match outcome {
            Ok(made) => Some(made),
            Err(found) => {
                for problem in found {
                    self.problems.push(problem.path(self.path.clone()));
                }
                None
            }
        }
    }

    /// A header name.
    pub fn header_name(&mut self, name: &Spanned<String>) -> Option<HeaderName> {
        let parsed = HeaderName::try_from(name.as_str()).ok();
        if parsed.is_none() {
            self.problem(name.span, format!("`{}` is not a header name", **name), "use letters, digits and `-`");
        }
        parsed
    }

    /// A header value.
    pub fn header_value(&mut self, value: &Spanned<String>) -> Option<HeaderValue> {
        let parsed = HeaderValue::try_from(value.as_str()).ok();
        if parsed.is_none() {
            self.problem(value.span, "a header value must not hold control characters", "take line breaks and NUL out");
        }
        parsed
    }

    /// A challenge for `WWW-Authenticate` (RFC 9110 section 11.6.1): scheme, realm (the name of the api or listener when
    /// none is given), and more parameters, each with its comma.
    pub fn challenge(&mut self, scheme: &str, realm: Option<&Spanned<String>>, more: &str) -> Option<HeaderValue> {
        let realm =
            realm.cloned().unwrap_or_else(|| Spanned::from(self.owner.names.first().cloned().unwrap_or_default()));
        let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
        self.header_value(&realm.map(|_| format!("{scheme} realm=\"{quoted}\"{more}")))
    }

    /// The counters that are shared with other gateways, asked for at this place.
    pub fn shared(&mut self, at: Span) -> Option<Arc<Shared>> {
        if self.snapshot.redis.is_none() {
            self.problem(
                at,
                "this is counted on Redis, and there is none",
                "add `redis: { url: … }`, or say `store: memory`",
            );
        }
        // One that has problems of its own is reported there.
        self.shared.cloned()
    }

    /// Which country and network addresses belong to, asked for at this place.
    pub fn geo(&mut self, at: Span) -> Option<Arc<Geo>> {
        if self.snapshot.geo.is_none() {
            self.problem(at, geo::MISSING, geo::MISSING_HELP);
        }
        // One that has problems of its own is reported there.
        self.geo.cloned()
    }

    /// The file of this path, which starts from the configuration's folder. A change of it is a change of the
    /// configuration.
    pub fn file(&mut self, path: &str) -> PathBuf {
        let path = self.snapshot.folder.join(path);
        self.keep.names_file(path.clone());
        path
    }

    /// TLS whose files start from the configuration's folder, as with [`Self::file`].
    pub fn tls(&mut self, written: &UpstreamTls) -> UpstreamTls {
        let mut tls = written.clone();
        for file in [&mut tls.ca, &mut tls.certificate, &mut tls.key].into_iter().flatten() {
            if let Some(path) = self.file(&file.value).to_str() {
                file.value = path.to_owned();
            }
        }
        tls
    }

    /// Something to be done once the program runs and before a request asks for it, by the connections of a worker. What
    /// fails is said where it fails.
    pub(crate) fn early<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        act: impl Fn(usize) -> F + Send + Sync + 'static,
    ) {
        self.early.push(Box::new(move |worker| Box::pin(act(worker))));
    }

    /// The ledger of the data directory, which is opened before the program runs.
    pub fn ledger(&mut self) -> Ledger {
        *self.wants_disk = true;
        self.env.stores.ledger()
    }

    /// An issuer that this gateway signs for, whose keys are said at this place.
    pub(crate) fn declare_issuer(&mut self, name: &Spanned<String>) -> Arc<OwnIssuer> {
        let own = self.keep.get(&format!("issuer|{}", **name), || OwnIssuer::new(name));
        self.issuers.declare(own.clone(), name, &self.path);
        own
    }

    /// An issuer that this gateway signs for; a terminal says its keys.
    pub(crate) fn own_issuer(&mut self, name: &Spanned<String>) -> Arc<OwnIssuer> {
        self.issuers.name(name, &self.path);
        self.keep.get(&format!("issuer|{}", **name), || OwnIssuer::new(name))
    }

    /// What is compiled once a program, for whoever asks first. Its problems are at paths that it says with [`Self::at`].
    pub fn once<T: Any + Send + Sync>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Arc<T> {
        let known = self.made.get(&TypeId::of::<T>()).and_then(|known| known.clone().downcast().ok());
        known.unwrap_or_else(|| {
            let made = Arc::new(make(self));
            self.made.insert(TypeId::of::<T>(), made.clone());
            made
        })
    }

    /// Does something whose problems are at this path.
    pub fn at<T>(&mut self, path: String, act: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.path, path);
        let done = act(self);
        self.path = outer;
        done
    }

    /// State that outlives this program, whoever asks for it.
    pub fn keep_for_all<T: Any + Send + Sync>(&self, what: &str, make: impl FnOnce() -> T) -> Arc<T> {
        self.keep.get(&format!("all|{what}"), make)
    }

    /// State that outlives this program, keyed by kind, owner, instance and `what`.
    pub fn keep<T: Any + Send + Sync>(&self, what: &str, make: impl FnOnce() -> T) -> Arc<T> {
        self.keep.get(&format!("{}|{}|{}|{what}", self.kind, self.owner.path(), self.instance), make)
    }
}
