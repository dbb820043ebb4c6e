//! Heuristics against prompt injection: what people write who want a model to leave its instructions. Weighted phrases in
//! several languages over a plainer form of the text; a judgement, not a proof. What it finds and misses is measured by a
//! test on a committed set (`docs/guardrails.md` has the table).

use std::fmt;

use regex::{RegexSet, RegexSetBuilder};

/// The most bytes of a text that are judged: from its beginning and from its end.
const MOST: usize = 64 << 10;

/// A phrase, and how much it says, in hundredths; below zero, that it is harmless.
struct Sign(i16, &'static str);

const SIGNS: &[Sign] = &[
    // leave your instructions
    Sign(
        60,
        r"\b(ignor(e|ing)|disregard(ing)?|forget|overrid(e|ing)|bypass|discard|drop|abandon|do not follow|don't follow|stop following|pay no attention to)\b[^.!?\n]{0,40}\b(previous|prior|above|earlier|preceding|all|any|every|your|system|these|those|original|initial|safety|foregoing|before)\b[^.!?\n]{0,30}\b(instructions?|prompts?|rules?|guidelines?|directives?|constraints|commands|training|programming|restrictions?|polic(y|ies)|safeguards)\b",
    ),
    Sign(
        45,
        r"\b(ignore|disregard|forget|override) the (system |safety )?(instructions?|prompts?|rules|guidelines|directives|settings)\b[^.!?\n]{0,20}\b(you|above|before|given|were)\b",
    ),
    Sign(45, r"\bignore the (user|system|developer)\b|\boverride your\b"),
    Sign(
        60,
        r"\b(ignore|disregard|forget) (everything|all|anything)\b[^.!?\n]{0,25}\b(above|before|told|said|learned|earlier|previously|prior)\b",
    ),
    Sign(
        60,
        r"\b(ignorier\w*|vergiss|vergesse?n? sie|missachte\w*|verwirf|umgehe)\b[^.!?\n]{0,50}(anweisung|instruktion|vorgabe|regel|prompt|richtlinie)",
    ),
    Sign(
        -60,
        r"\b(don't|do not|never) forget\b|\b(vergiss|vergessen sie|vergesst)( bitte)? nicht\b|\bn'oubli|\bno olvid|\bnão esque|\bnon dimentic|не забудь|不要忘记|忘れないで",
    ),
    Sign(
        60,
        r"\b(ignor(e|ez|er)|oubli(e|ez|er)|ne (tiens|tenez) (pas|plus) compte|fai(s|tes) abstraction)\b[^.!?\n]{0,50}\b(instructions|consignes|règles|directives)",
    ),
    Sign(
        60,
        r"\b(ignora|ignore|olvida|olvide|descarta|haz caso omiso|omite)\b[^.!?\n]{0,50}\b(instrucciones|reglas|indicaciones|órdenes|directrices)",
    ),
    Sign(
        60,
        r"\b(ignora|ignore|dimentica|esqueça|esquece|desconsidere|tralascia)\b[^.!?\n]{0,50}\b(istruzioni|regole|instruções|regras|diretrizes|direttive)",
    ),
    Sign(60, r"(忽略|无视|忘记|忘掉|不要理会|忽視|無視)[^。！？\n]{0,14}(指令|提示|规则|說明|说明|要求|指示|设定)"),
    Sign(60, r"(指示|命令|ルール|プロンプト)[^。！？\n]{0,8}(無視|忘れ)"),
    Sign(60, r"(игнорируй\w*|забудь\w*|отбрось\w*)[^.!?\n]{0,40}(инструкци|указани|правил|команд)"),
    Sign(
        50,
        r"\byour (true|real|new|actual|only) (purpose|goal|instructions?|task|objective|directive|role|rules) (is|are)\b",
    ),
    Sign(50, r"\bnew (system )?(instructions?|rules|prompt|directives?)\s*:"),
    // show your instructions
    Sign(
        55,
        r"\b(reveal|show|print|repeat|output|display|tell|give|leak|dump|copy|write out|recite|paste|disclose|share|what (is|are|was|were)|what's)\b[^.!?\n]{0,40}\b((your|the) (\w+ )?(system|initial|hidden|original|secret|internal|developer) ?(prompt|message|instructions?)|your (\w+ )?(system|initial|hidden|original|secret|internal|developer) (rules|guidelines)|hidden instructions|instructions (above|you were given|you have been given)|pre-?prompt)\b",
    ),
    Sign(
        55,
        r"\b(repeat|print|output|copy|echo|translate|summari[sz]e|write)\b[^.!?\n]{0,30}\b(everything|all (of )?the text|the words|the text|all text|all words|the content|what is written)\b[^.!?\n]{0,15}\b(above|before this|preceding|prior to)\b",
    ),
    Sign(55, r"\b(zeig|nenne|verrate|gib)\w*\b[^.!?\n]{0,40}(system-?prompt|systemanweisung|geheimen? anweisung)"),
    Sign(
        55,
        r"\b(montre|révèle|affiche|donne|muestra|revela|dime|mostra|mostre)\w*(-moi)?\b[^.!?\n]{0,40}(prompt (système|del sistema|do sistema|di sistema)|instructions (système|cachées)|instrucciones ocultas)",
    ),
    Sign(55, r"(显示|告诉我|输出|泄露|重复)[^。！？\n]{0,12}(系统提示|系统指令|初始指令|隐藏指令)"),
    // be somebody without rules
    Sign(60, r"\bdo anything now\b"),
    Sign(
        55,
        r"\b(you are|you're|act as|acts? like|pretend|from now on|role-?play|imagine|simulate|become|be)\b[^.!?\n]{0,80}\b(dan|unrestricted|unfiltered|uncensored|jailbroken|amoral|no (rules|restrictions|limits|limitations|filters?|guidelines|ethic\w*|moral\w*|boundaries)|without (any )?(\w+ )?(rules|restrictions|limits|limitations|filters?|ethic\w*|moral\w*|censorship|guidelines|boundaries)|not bound by|free (of|from) (all|any|your|the))\b",
    ),
    Sign(
        55,
        r"\b(enable|enabled|enter|activate|switch (in)?to|turn on|engage|you are (now )?in)\b[^.!?\n]{0,20}\b(god|sudo|admin|maintenance|jailbreak|unrestricted|root|dan) mode\b",
    ),
    Sign(
        55,
        r"\bdeveloper mode (is )?(now )?(enabled|on|active|activated|output)\b|\b(enable|enter|activate|switch to) (the )?(developer|debug) mode (and|now|then|to (answer|bypass|ignore))\b",
    ),
    Sign(
        40,
        r"\b(you (will|must|can|shall|may) (never|not) (refuse|decline|say no)|never refuse|cannot refuse|without refusing)\b",
    ),
    Sign(40, r"\byou (have|now have|are under) no (restrictions|rules|limits|limitations|filters?|ethical|obligation)"),
    Sign(30, r"\bjail ?break(s|ed|ing)?\b[^.!?\n]{0,40}\b(yourself|you|mode|prompt)\b"),
    Sign(
        25,
        r"\b(stay in character|break character|opposite day|hypothetical(ly)?|fictional|purely educational)\b[^.!?\n]{0,120}\b(no rules|without restrictions|anything|uncensored|illegal|step[- ]by[- ]step)\b",
    ),
    Sign(
        30,
        r"\b(no|without|skip|omit)( any)? (warnings?|disclaimers?|moraliz\w*|caveats)\b[^.!?\n]{0,60}\b(uncensored|illegal|weapon|explosive|malware|drug|exploit)",
    ),
    // words of the format itself
    Sign(
        55,
        r"<\|(im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|end_header_id|begin_of_text)\|>",
    ),
    Sign(45, r"\[/?inst\]|<</?sys>>|\[/?system\]"),
    Sign(35, r"</?(system|system_prompt|instructions|admin)>"),
    Sign(
        40,
        r"(^|\n)\s*#{2,}\s*(system( prompt| message)?\s*(\n|:|$)|new instructions?|instruction\s*(\n|:|$)|override|admin)",
    ),
    Sign(
        45,
        r"(^|\n|[.!?] )\W{0,3}(system|assistant|admin(istrator)?|developer)( message| prompt| override| note)?\s*:\s*(you|override|ignore|disregard|new|from now|all|the user|please)\b",
    ),
    Sign(
        40,
        r"\b(begin|start|end) (of )?(the )?(system|admin|developer|user) (prompt|override|message|input|instructions?)\b",
    ),
    Sign(30, r"\bend of (the )?(prompt|document|instructions|context|conversation)\b[^\n]{0,20}\n"),
    // behind the user's back
    Sign(
        40,
        r"\b(do not|don't|never|without) (tell(ing)?|inform(ing)?|mention(ing)?|alert(ing)?|notify(ing)?|show(ing)?)\b[^.!?\n]{0,25}\b(user|human|operator|anyone|reader|customer)\b",
    ),
    Sign(
        50,
        r"\b(send|post|forward|upload|exfiltrate|transmit|leak|encode|append|attach)\b[^.!?\n]{0,60}\b(api keys?|passwords?|credentials|(conversation|chat|message) (history|log)s?|conversation|system prompt|secrets?|access tokens?|(user'?s?|personal|private|confidential) (data|information|messages|details))\b[^.!?\n]{0,50}(https?://|\bto [\w.+-]+@|\bto (the |this |my )?(attacker|server|url|webhook|following|address)|as a (query|url))",
    ),
    Sign(50, r"!\[[^\]\n]*\]\(https?://[^)\n]{1,200}[?&][^)\n]{0,40}=\s*[{\[<$]"),
    Sign(
        40,
        r"\b(ai|llm|language model|assistant|chatbot|model)s?\b[^.!?\n]{0,40}\b(reading|processing|parsing|analy[sz]ing|summari[sz]ing|reviewing|evaluating|screening)\b[^.!?\n]{0,60}\b(must|should|shall|please|are (instructed|required|ordered)|instruction|note|rate|recommend|say)\b",
    ),
    Sign(
        45,
        r"\b(you must|you should now|immediately|instead,?( you)?( must| should)?|now)\s+(call|execute|run|invoke|trigger|use) (the |your )?[\w.`]{1,40}( tool| function| command)?\b[^.!?\n]{0,60}\b(delete|transfer|all|secret|password|without (asking|confirm\w*)|rm -rf|drop table|confirmation)\b",
    ),
    // who says so
    Sign(
        45,
        r"\b(i am|i'm|this is|we are|speaking as) (your|the|an?|from)? ?(developers?|creators?|administrator|admin|openai|anthropic|google|system administrator|engineers?|owner|red team)\b[^\n]{0,100}\b(override|authori[sz]e\w*|disabl\w*|ignore|unlock\w*|bypass|grant\w*|suspend\w*|turn off|safety)",
    ),
    Sign(
        45,
        r"\b(decode|base64|rot13|hex|reverse[ds]?)\b[^.!?\n]{0,60}\b(follow|execute|obey|do what|carry out|comply|act on)\b",
    ),
    Sign(
        30,
        r"\b(safety|content|ethical|moral)( and \w+)? (filters?|guidelines?|polic(y|ies)|restrictions?|protocols?|checks?)\b[^.!?\n]{0,40}\b(disabled|off|suspended|lifted|removed|do(es)? not apply|don't apply|no longer apply|not in effect)\b",
    ),
    Sign(
        40,
        r"\b(disable|turn off|switch off|suspend|lift|remove|deactivate|unlock)\b[^.!?\n]{0,30}\b(your|all|any|the)\b[^.!?\n]{0,20}\b(safety|content|ethical|moral)( and \w+)? (filters?|guidelines?|polic(y|ies)|restrictions?|protocols?|checks?|settings|features|measures)",
    ),
    Sign(
        30,
        r"\binstead,? (just )?(say|output|print|respond|reply|answer|write)\b[^.!?\n]{0,30}\b(pwned|hacked|haha|exactly|only)\b",
    ),
    Sign(
        45,
        r"\b(respond|answer|reply|say|output|print)\b[^.!?\n]{0,20}\b(pwned|hacked|i have been (hacked|pwned|compromised))\b",
    ),
];

/// What hidden characters say: letters that nobody sees are for the machine alone.
const HIDDEN: i16 = 40;

/// From where on a text is taken for an injection where nothing else is said.
pub const THRESHOLD: u8 = 40;

/// The signs, ready to be looked for.
pub struct Injection {
    signs: RegexSet,
}

impl fmt::Debug for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injection").field("signs", &self.signs.len()).finish()
    }
}

impl Injection {
    /// Compiles the signs; a test says that it can be done. Takes some milliseconds: once a policy, never a call.
    #[must_use]
    pub fn new() -> Option<Self> {
        let signs = RegexSetBuilder::new(SIGNS.iter().map(|sign| sign.1)).size_limit(64 << 20).build().ok()?;
        Some(Self { signs })
    }

    /// How much a text looks like an injection: 0 to 100. Of a text longer than 64 KiB its beginning and its end are read.
    #[must_use]
    pub fn score(&self, text: &str) -> u8 {
        let (mut plain, mut hidden) = (String::with_capacity(text.len().min(MOST)), 0_usize);
        let head = text.get(..text.floor_char_boundary(MOST / 2)).unwrap_or(text);
        plainly(head, &mut plain, &mut hidden);
        if text.len() > head.len() {
            let from = text.ceil_char_boundary(text.len().saturating_sub(MOST / 2).max(head.len()));
            plainly(text.get(from..).unwrap_or_default(), &mut plain, &mut hidden);
        }
        let found = self.signs.matches(&plain);
        let base = if hidden > 8 { HIDDEN } else { 0 };
        let sum = found.iter().filter_map(|n| SIGNS.get(n)).fold(base, |sum, sign| sum + sign.0);
        u8::try_from(sum.clamp(0, 100)).unwrap_or(0)
    }
}

/// Appends a text in small letters with single spaces and straight quotes, wide letters made narrow and hidden ones counted
/// (of Unicode's tags the letters they stand for are taken).
fn plainly(text: &str, out: &mut String, hidden: &mut usize) {
    for letter in text.chars() {
        let letter = match letter {
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => {
                *hidden += usize::from(letter != '\u{200d}');
                continue;
            }
            '\u{e0020}'..='\u{e007e}' => {
                *hidden += 1;
                char::from_u32(u32::from(letter) - 0xe0000).unwrap_or(' ')
            }
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter) - 0xfee0).unwrap_or(letter),
            '\u{2018}' | '\u{2019}' => '\'',
            '\n' => '\n',
            other if other.is_whitespace() => ' ',
            other => other,
        };
        if letter == ' ' && out.ends_with(' ') {
            continue;
        }
        out.extend(letter.to_lowercase());
    }
}
