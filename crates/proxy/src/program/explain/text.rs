//! An explanation for people.

use std::fmt::{self, Display, Formatter};

use model::resource::{Access, IdentifyMode};

use super::{Arm, Ending, Explanation, Policy, Told, When};
use crate::program::table::{Candidate, Verdict};

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seen = &self.request;
        let query = seen.query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
        writeln!(f, "{} {}://{}{}{query}", seen.method, seen.scheme, seen.host, seen.path)?;
        writeln!(f, "by listener {}, from {}", seen.listener, seen.client)?;
        match &self.outcome {
            Told::Route { route } => writeln!(f, "\nroute {route}")?,
            Told::Refused { status, code, detail } => writeln!(f, "\nanswered {status} {code}: {detail}")?,
            Told::Answered { status, location: Some(to) } => writeln!(f, "\nanswered {status}, redirected to {to}")?,
            Told::Answered { status, location: None } => writeln!(f, "\nanswered {status} by the listener")?,
        }
        if let Some(taken) = self.taken() {
            writeln!(f, "  + host {}", taken.host)?;
            writeln!(f, "  + path {}", taken.path)?;
            conditions(taken, f)?;
            for captured in &self.captures {
                writeln!(f, "  = {}: {}", captured.name, captured.value)?;
            }
            self.why(taken, f)?;
        }
        self.policies(f)?;
        if let Some(terminal) = &self.terminal {
            write!(f, "\nends in {terminal}")?;
        }
        self.others(f)
    }
}

impl Explanation {
    /// Why the route goes before the next that would take the request too.
    fn why(&self, taken: &Candidate, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(next) = self.candidates.iter().find(|other| other.verdict == Verdict::Later) else { return Ok(()) };
        let why = match () {
            () if next.host != taken.host => "its host pattern is more specific",
            () if next.path != taken.path => "its path pattern is more specific",
            () if next.priority != taken.priority => "its priority is higher",
            () => "it asks for more",
        };
        writeln!(f, "  before {}, as {why}", next.route)
    }

    fn policies(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.policies.is_empty() {
            writeln!(f, "\nno policies")?;
        } else {
            writeln!(f, "\npolicies, in running order")?;
            let width = self.policies.iter().map(|policy| label(policy).len()).max().unwrap_or(0);
            for policy in &self.policies {
                write!(f, "  {:<10} {:<width$}  set on the {}", policy.stage, label(policy), policy.level)?;
                for body in &policy.buffers {
                    write!(f, ", reads the whole {body} body")?;
                }
                match &policy.when {
                    Some(when) => writeln!(f, ", {when}")?,
                    None => writeln!(f)?,
                }
            }
        }
        if !matches!(self.outcome, Told::Route { .. }) {
            return Ok(());
        }
        let access = match self.identify.access {
            Access::Public => "public",
            Access::Identified => "identified: any known consumer",
            Access::Subscribed => "subscribed: consumers with a subscription",
        };
        write!(f, "access {access}")?;
        match (self.identify.mode, &self.identify.by[..]) {
            (_, []) => writeln!(f),
            (IdentifyMode::Any, [one]) => writeln!(f, ", known by {one}"),
            (IdentifyMode::Any, by) => writeln!(f, ", known by one of {}, asked in this order", by.join(", ")),
            (IdentifyMode::All, by) => writeln!(f, ", known by each of {}, asked in this order", by.join(", ")),
            (IdentifyMode::Optional, by) => writeln!(f, ", known or not, by {}", by.join(", ")),
        }
    }

    /// The routes that do not take it.
    fn others(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut others = self.candidates.iter().filter(|other| other.verdict != Verdict::Taken).peekable();
        if others.peek().is_some() {
            writeln!(f, "\nother routes")?;
        }
        for other in others {
            write!(f, "  {} ({}, {})", other.route, other.path, other.host)?;
            match &other.verdict {
                Verdict::Near(why) => writeln!(f, ": {why}")?,
                Verdict::Later => writeln!(f, ": would take it, but comes later")?,
                Verdict::Missed | Verdict::Taken => writeln!(f, ": does not take it")?,
            }
            for condition in other.conditions.iter().filter(|condition| !condition.holds) {
                writeln!(f, "    - {}: does not hold", condition.text)?;
            }
        }
        Ok(())
    }
}

fn conditions(candidate: &Candidate, f: &mut Formatter<'_>) -> fmt::Result {
    candidate.conditions.iter().try_for_each(|condition| writeln!(f, "  + {}", condition.text))
}

fn label(policy: &Policy) -> String {
    if policy.name.is_empty() { policy.kind.to_owned() } else { format!("{} ({})", policy.kind, policy.name) }
}

impl Display for When {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "when `{}`: {}", self.text, if self.holds { "holds" } else { "does not hold" })
    }
}

impl Display for Ending {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Answer { terminal } => writeln!(f, "{terminal}, answered by the gateway"),
            Ending::Upstream { arms, stripped } => {
                match &arms[..] {
                    [one] => {
                        writeln!(f, "{one}")?;
                        one.care.iter().try_for_each(|care| writeln!(f, "  {care}"))?;
                    }
                    several => {
                        writeln!(f, "one of")?;
                        for arm in several {
                            writeln!(f, "  {arm}")?;
                            arm.care.iter().try_for_each(|care| writeln!(f, "    {care}"))?;
                        }
                    }
                }
                match stripped {
                    Some(stripped) => writeln!(f, "  without `{stripped}` at the beginning of the path"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Display for Arm {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "upstream {} ({})", self.upstream, self.targets.join(", "))?;
        match (&self.when, self.share) {
            (Some(when), _) => write!(f, " {when}"),
            (None, Some(share)) => write!(f, " {share}%"),
            (None, None) => Ok(()),
        }
    }
}
