use crate::guard::language::{KNOWN, of};

#[test]
fn sentences_are_told_apart() {
    let table = [
        ("en", "Could you please tell me how this works and what it is for?"),
        ("de", "Könnten Sie mir bitte sagen, wie das funktioniert und wofür es gut ist?"),
        ("fr", "Pouvez-vous me dire comment cela fonctionne et à quoi il sert dans la pratique ?"),
        ("es", "¿Puede decirme cómo funciona esto y para qué sirve en la práctica?"),
        ("it", "Mi può dire come funziona questo e che cosa si può fare con il programma?"),
        ("pt", "Você pode me dizer como isso funciona e para que serve uma coisa dessas?"),
        ("nl", "Kunt u mij vertellen hoe dit werkt en waar het voor is?"),
        ("pl", "Czy możesz mi powiedzieć, jak to działa i do czego się przydaje?"),
        ("sv", "Kan du berätta för mig hur det här fungerar och vad jag kan göra med det?"),
        ("da", "Kan du fortælle mig, hvordan det virker, og hvad jeg kan bruge det til?"),
        ("fi", "Voisitko kertoa minulle, miten tämä toimii ja mihin se on tarkoitettu, kun en ole varma?"),
        ("cs", "Můžete mi prosím říct, jak to funguje a k čemu je to dobré?"),
        ("tr", "Bana bunun nasıl çalıştığını ve ne için olduğunu söyler misin lütfen?"),
        ("ro", "Poți să îmi spui cum funcționează și pentru ce este bun acest lucru?"),
        ("hu", "Meg tudnád mondani, hogy ez hogyan működik és mire való a dolog?"),
        ("ru", "Скажите, пожалуйста, как это работает и зачем это нужно?"),
        ("uk", "Скажіть, будь ласка, як це працює і навіщо це потрібно?"),
        ("el", "Μπορείτε να μου πείτε πώς λειτουργεί;"),
        ("zh", "请告诉我这个是怎么工作的，有什么用？"),
        ("ja", "これがどのように動くのか教えてください。"),
        ("ko", "이것이 어떻게 작동하는지 알려 주세요."),
        ("ar", "هل يمكنك أن تخبرني كيف يعمل هذا؟"),
        ("fa", "لطفاً بگویید این چگونه کار می‌کند؟"),
        ("he", "האם אתה יכול לומר לי איך זה עובד?"),
        ("hi", "कृपया मुझे बताइए कि यह कैसे काम करता है।"),
        ("th", "ช่วยบอกฉันหน่อยว่ามันทำงานอย่างไร"),
    ];
    let wrong: Vec<_> = table
        .iter()
        .filter(|(language, text)| of(text) != Some(language))
        .map(|(language, text)| (language, of(text)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(table.len(), KNOWN.len(), "every language is tried");
}

#[test]
fn what_has_no_language_is_none() {
    for text in ["", "42", "ok", "fn main() {}", "https://example.com", "Jane Roe", "🙂🙂", "{\"a\":1}"] {
        assert_eq!(of(text), None, "{text:?}");
    }
}
