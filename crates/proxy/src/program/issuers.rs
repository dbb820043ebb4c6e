//! Issuers whose tokens this gateway signs. A terminal declares one and says which keys it has; whatever signs or verifies
//! by its keys names it.

use std::sync::Arc;

use model::load::Spanned;
use model::problem::{Problem, Problems, did_you_mean};

use crate::tokens::issue::OwnIssuer;

/// The issuers of a program.
#[derive(Default)]
pub(super) struct Issuers {
    own: Vec<Arc<OwnIssuer>>,
    declared: Vec<(Spanned<String>, String)>,
    named: Vec<(Spanned<String>, String)>,
}

impl Issuers {
    /// An issuer that is declared at this place.
    pub(super) fn declare(&mut self, own: Arc<OwnIssuer>, name: &Spanned<String>, path: &str) {
        self.own.push(own);
        self.declared.push((name.clone(), path.to_owned()));
    }

    /// An issuer that is named at this place.
    pub(super) fn name(&mut self, name: &Spanned<String>, path: &str) {
        self.named.push((name.clone(), path.to_owned()));
    }

    /// The issuers, where each that is named is declared once.
    pub(super) fn finish(self, problems: &mut Problems) -> Box<[Arc<OwnIssuer>]> {
        for (at, (name, path)) in self.declared.iter().enumerate() {
            if self.declared.iter().take(at).any(|(other, _)| **other == **name) {
                let message = format!("the issuer `{}` has keys at two places", **name);
                let problem = Problem::error("config.issuer", name.span, message).path(path.clone());
                problems.push(problem.help("let one terminal publish them, or give the other a name of its own"));
            }
        }
        for (name, path) in &self.named {
            let known = || self.declared.iter().map(|(known, _)| known.as_str());
            if !known().any(|known| known == name.as_str()) {
                let near = did_you_mean(name, known());
                let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                let message = format!("no terminal here has the keys of the issuer `{}`{hint}", **name);
                let problem = Problem::error("config.issuer", name.span, message).path(path.clone());
                problems.push(problem.help("give a route `to: { jwks: { issuer: … } }`, or an `oauth_server`"));
            }
        }
        self.own.into()
    }
}
