//! Asking the next target while the first says nothing yet: who says something first is heard. The other's call is dropped,
//! and with it its connection.

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::{Asking, Begun, Line, Link, Unanswered};
use crate::fleet::Budget;
use crate::terminal::failure::Missed;

/// The most that are asked at the same time.
const MOST: usize = 2;

type Running<'a> = Pin<Box<dyn Future<Output = Result<Begun, Missed>> + Send + 'a>>;

impl Asking<'_> {
    /// Asks the targets in line, the next one where the one before fails or takes longer than `after`.
    pub(super) async fn race(
        &mut self,
        link: &Link,
        line: &mut Line,
        (after, budget): (Duration, &Budget),
    ) -> Result<Begun, Unanswered> {
        let mut running: Vec<Running<'_>> = Vec::with_capacity(MOST);
        let mut last = None;
        let mut late = Box::pin(tokio::time::sleep(after));
        let mut hedges = true;
        loop {
            if running.is_empty() {
                let Some(attempt) = self.next(link, line, &mut last) else {
                    return Err(last.unwrap_or_else(|| Unanswered::Missed(Missed::nobody(&link.model.name))));
                };
                running.push(Box::pin(attempt.run()));
                late.as_mut().reset(tokio::time::Instant::now() + after);
            }
            let may_hedge = hedges && running.len() < MOST && !line.is_empty();
            match happened(&mut running, may_hedge.then_some(late.as_mut())).await {
                Some(Ok(begun)) => {
                    self.frame.attempts.win();
                    return Ok(begun);
                }
                Some(Err(missed)) => {
                    let unanswered = Unanswered::Missed(missed);
                    if !unanswered.may_go_on() {
                        self.frame.attempts.win();
                        return Err(unanswered);
                    }
                    last = Some(unanswered);
                }
                // It takes too long.
                None => {
                    hedges = budget.spend();
                    if hedges && let Some(attempt) = self.next(link, line, &mut last) {
                        self.frame.attempts.has_input(self.call.gist().tokens);
                        running.push(Box::pin(attempt.run()));
                        late.as_mut().reset(tokio::time::Instant::now() + after);
                    }
                }
            }
        }
    }
}

/// What becomes of the first that is over, which is taken out of those that are running; none where it is late before.
async fn happened(
    running: &mut Vec<Running<'_>>,
    mut late: Option<Pin<&mut tokio::time::Sleep>>,
) -> Option<Result<Begun, Missed>> {
    std::future::poll_fn(|cx| {
        for at in 0..running.len() {
            if let Some(one) = running.get_mut(at)
                && let Poll::Ready(done) = one.as_mut().poll(cx)
            {
                drop(running.remove(at));
                return Poll::Ready(Some(done));
            }
        }
        match &mut late {
            Some(late) => late.as_mut().poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}
