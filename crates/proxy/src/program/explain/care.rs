//! What an upstream does for a request beside sending it, in a line each.

use model::resource::{Balance, Fallback, HashBalance, HashBy, HealthKind, Upstream};

/// What is not as it is where nobody says.
pub(super) fn of(upstream: &Upstream) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(balance) = balance(&upstream.balance) {
        told.push(format!("balance: {balance}"));
    }
    health(upstream, &mut told);
    if let Some(retry) = &upstream.retry {
        told.push(format!("retry: up to {} times, at most {} of the requests", *retry.attempts, retry.budget));
    }
    if let Some(hedge) = &upstream.hedge {
        let after = hedge.after.as_ref().map_or_else(|| "95 in 100 are answered".to_owned(), |after| after.to_string());
        told.push(format!("hedge: a second try after {after}, at most {} of the requests", hedge.budget));
    }
    if let Some(breaker) = &upstream.breaker {
        let rates = [("fail", &breaker.error_rate), ("are slow", &breaker.slow_rate)];
        let rates = rates.iter().filter_map(|(what, rate)| Some(format!("{} {what}", rate.as_ref()?)));
        let bounds = [("requests", breaker.requests), ("pending", breaker.pending), ("retries", breaker.retries)];
        let bounds = bounds.iter().filter_map(|(what, most)| Some(format!("at most {} {what}", (*most)?)));
        told.push(format!(
            "breaker: {}",
            rates.map(|rate| format!("open where {rate}")).chain(bounds).collect::<Vec<_>>().join(", ")
        ));
    }
    match &upstream.fallback {
        Some(Fallback::Upstream(name)) => told.push(format!("fallback: upstream {}", **name)),
        Some(Fallback::Respond(answer)) => told.push(format!("fallback: {} by the gateway", *answer.status)),
        None => {}
    }
    told
}

fn balance(balance: &Balance) -> Option<String> {
    Some(match balance {
        Balance::RoundRobin => return None,
        Balance::LeastRequest => "least request".to_owned(),
        Balance::PeakEwma => "peak EWMA".to_owned(),
        Balance::Random => "random".to_owned(),
        Balance::Hash(hash) => format!("hash of {}", hashed(hash)),
        Balance::Sticky(_) => "sticky by cookie".to_owned(),
    })
}

fn hashed(hash: &HashBalance) -> String {
    let named = [("header", &hash.header), ("cookie", &hash.cookie), ("query", &hash.query), ("CEL", &hash.cel)];
    let named = named.into_iter().find_map(|(what, name)| Some(format!("{what} `{}`", **name.as_ref()?)));
    named.unwrap_or_else(|| match hash.by {
        Some(HashBy::Consumer) => "the consumer".to_owned(),
        Some(HashBy::Client) | None => "the client's address".to_owned(),
    })
}

fn health(upstream: &Upstream, told: &mut Vec<String>) {
    if let Some(active) = &upstream.health.active {
        let asked = match active.kind {
            HealthKind::Http => format!("http {}", *active.path),
            HealthKind::Tcp => "tcp".to_owned(),
            HealthKind::Grpc => "grpc".to_owned(),
        };
        told.push(format!("checked: {asked} every {}", *active.interval));
    }
    if let Some(passive) = &upstream.health.passive {
        told.push(format!(
            "ejected: after {} errors in a row, at most {}",
            passive.consecutive_errors, passive.max_ejected
        ));
    }
}
