//! The checks of a request.

use std::sync::LazyLock;

use proxy::exchange::{Error, Guarded};

use super::check::{Act, Check, Checked, What};
use super::outside::Said;
use super::{BLOCKED, TOO_LARGE, UNAVAILABLE, UNREADABLE};
use crate::call::{AiCall, Voice};
use crate::guard::injection::Injection;
use crate::guard::{Masks, language};

/// The signs are compiled once, by the first call that is checked for them; a test says that they can be.
static SIGNS: LazyLock<Option<Injection>> = LazyLock::new(Injection::new);

/// A request whose texts were seen.
pub(super) struct Asked {
    pub(super) masks: Masks,
    /// What the user and tools said since the model's last answer, after masking.
    recent: Vec<(Voice, String)>,
}

/// What is seen of a request.
struct Seeing<'a> {
    checked: &'a Checked,
    guarded: &'a Guarded,
    masks: Masks,
    recent: Vec<(Voice, String)>,
    /// Whether the model spoke after what is in `recent`.
    answered: bool,
    /// Bytes of text.
    size: u64,
    /// What each check found.
    found: Vec<u32>,
}

impl Asked {
    /// Sees every text, and does what the checks ask for. Those that ask others come later.
    pub(super) fn see(checked: &Checked, call: &mut AiCall, guarded: &Guarded) -> Result<Self, Box<Error>> {
        if checked.is_empty() {
            return Ok(Self { masks: Masks::default(), recent: Vec::new() });
        }
        let mut masks = Masks::default();
        masks.reserve(&String::from_utf8_lossy(call.body()));
        let found = vec![0; checked.checks.len()];
        let mut seeing = Seeing { checked, guarded, masks, recent: Vec::new(), answered: false, size: 0, found };
        let seen = call.texts(|voice, text| seeing.text(voice, text));
        seen.map_err(|refused| Box::new(Error::new(&UNREADABLE, format!("The request cannot be read: {refused}."))))?;
        seeing.judge(call)
    }

    /// Asks those who are elsewhere, in turn.
    pub(super) async fn outside(
        &self,
        checked: &Checked,
        call: &mut AiCall,
        worker: usize,
        guarded: &Guarded,
    ) -> Result<(), Box<Error>> {
        for (at, check) in checked.checks.iter().enumerate() {
            let What::Outside(outside) = &check.what else { continue };
            match outside.ask(worker, &check.name, call.named(), &self.recent).await {
                Said::Passes => {}
                Said::Against => {
                    check.found(at, 1, guarded);
                    act(check, checked, at, call)?;
                }
                Said::Unknown => {
                    let detail = "Nobody can say at this time whether this may pass.";
                    let why = format!("the check `{}` has no answer", check.name);
                    return Err(Box::new(Error::new(&UNAVAILABLE, detail).because(why)));
                }
            }
        }
        Ok(())
    }
}

impl Seeing<'_> {
    /// Sees a text; says whether it was changed.
    fn text(&mut self, voice: Voice, text: &mut String) -> bool {
        self.size += text.len() as u64;
        let mut changed = false;
        for (at, check) in self.checked.checks.iter().enumerate() {
            let found = match &check.what {
                What::Personal(_) | What::Words(..) => {
                    let mut findings = Vec::new();
                    let Some(scan) = check.scan() else { continue };
                    let masks = matches!(check.act, Act::Mask) && self.is_enforced(at);
                    if !masks {
                        // What the model said and the operator wrote is theirs; masking is for every text.
                        if matches!(voice, Voice::User | Voice::Tool) {
                            scan.scan(text, 0, true, &mut findings);
                        }
                    } else if let Some(masked) = self.masks.mask(&scan, text, &mut findings) {
                        *text = masked;
                        changed = true;
                    }
                    u32::try_from(findings.len()).unwrap_or(u32::MAX)
                }
                What::Injection(threshold) if matches!(voice, Voice::User | Voice::Tool) => {
                    u32::from(SIGNS.as_ref().is_none_or(|signs| signs.score(text) >= *threshold))
                }
                _ => 0,
            };
            if let Some(count) = self.found.get_mut(at) {
                *count = count.saturating_add(found);
            }
        }
        self.remember(voice, text);
        changed
    }

    /// Keeps what was said last, for checks that judge it as one.
    fn remember(&mut self, voice: Voice, text: &str) {
        match voice {
            Voice::Assistant => self.answered = true,
            Voice::User | Voice::Tool => {
                if std::mem::take(&mut self.answered) {
                    self.recent.clear();
                }
                self.recent.push((voice, text.to_owned()));
            }
            Voice::System => {}
        }
    }

    /// Whether a check does more than to note what it finds.
    fn is_enforced(&self, at: usize) -> bool {
        is_enforced(self.checked, at)
    }

    /// Does what the checks ask for, now that all is seen.
    fn judge(mut self, call: &mut AiCall) -> Result<Asked, Box<Error>> {
        let mut spoken = None;
        for (at, check) in self.checked.checks.iter().enumerate() {
            let found = self.found.get(at).copied().unwrap_or_default();
            let found = match &check.what {
                What::Size(most) => u32::from(self.size > *most),
                What::Languages { .. } => {
                    let language = *spoken.get_or_insert_with(|| spoken_in(&self.recent));
                    u32::from(check.what.is_against(language))
                }
                _ if found >= check.least() => found,
                _ => 0,
            };
            check.found(at, found, self.guarded);
            if found > 0 {
                act(check, self.checked, at, call)?;
            }
        }
        if !self.checked.asks_outside() {
            self.recent.clear();
        }
        Ok(Asked { masks: self.masks, recent: self.recent })
    }
}

/// The language of what the user said last.
fn spoken_in(recent: &[(Voice, String)]) -> Option<&'static str> {
    let said: Vec<&str> =
        recent.iter().filter(|(voice, _)| *voice == Voice::User).map(|(_, text)| text.as_str()).collect();
    language::of(&said.join("\n"))
}

fn is_enforced(checked: &Checked, at: usize) -> bool {
    checked.names.get(at).is_some_and(|(_, word)| *word != "shadow")
}

/// What comes of a finding.
fn act(check: &Check, checked: &Checked, at: usize, call: &mut AiCall) -> Result<(), Box<Error>> {
    if !is_enforced(checked, at) {
        return Ok(());
    }
    match &check.act {
        Act::Block => {
            let why = format!("the check `{}` of the request", check.name);
            let (code, detail) = match check.what {
                What::Size(most) => (&TOO_LARGE, format!("The request has more than {most} bytes of text.")),
                _ => (&BLOCKED, "A guardrail of this gateway does not let this request pass.".to_owned()),
            };
            Err(Box::new(Error::new(code, detail).because(why)))
        }
        Act::Route(model) => {
            call.model = model.clone();
            Ok(())
        }
        Act::Mask | Act::Flag => Ok(()),
    }
}
