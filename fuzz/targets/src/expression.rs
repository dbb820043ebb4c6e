//! Expressions: what compiles has one meaning, which is the `cel` crate's wherever its interpreter has one; what does
//! not compile says where.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, extensions};
use model::load::{Span, Spanned};
use proxy::exchange::Exchange;
use proxy::expr::{Expr, Scope, Value};

use crate::kit;

/// Longer ones take the interpreter, which is recursive, too deep.
const MOST: usize = 200;

pub(crate) fn run(input: &[u8]) {
    let Some([source, request]) = kit::parts(input) else { return };
    let Some(request) = kit::request(request) else { return };
    let x = kit::exchange(request);
    let span = Span::new(0, 10, 10 + source.len() as u32);
    let text = Spanned::new(source.to_owned(), span);
    for scope in [Scope::Match, Scope::Request, Scope::Response] {
        let compiled = Expr::compile(&text, scope);
        let condition = Expr::condition(&text, scope);
        let expression = match &compiled {
            Ok(expression) => expression,
            Err(problems) => {
                assert!(condition.is_err() && !problems.is_empty(), "{source}");
                for problem in problems {
                    let at = problem.at.expect("a place");
                    assert!(span.start <= at.start && at.start <= at.end && at.end <= span.end, "{source}: {at:?}");
                }
                continue;
            }
        };
        assert_eq!(expression.source(), source);
        let value = expression.value(&x);
        assert_eq!(expression.test(&x), value == Value::Bool(true), "{source}");
        assert_eq!(expression.text(&x), value.clone().into_text(), "{source}");
        if let Ok(condition) = condition {
            assert!(matches!(value, Value::Bool(_) | Value::Absent), "{source}: {value:?}");
            assert_eq!(condition.test(&x), expression.test(&x), "{source}");
        }
        assert!(expression.literal().is_none_or(|literal| value == Value::Text(literal.into())), "{source}");
        if scope == Scope::Match {
            interpreted(source, &x, &value);
        }
    }
}

/// Wherever the interpreter has a value, ours is the same. Header names are found whatever their case, which it does
/// not know.
fn interpreted(source: &str, x: &Exchange, ours: &Value<'_>) {
    static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib();
        env.add_extension(extensions::strings).expect("the extension");
        Arc::new(env)
    });
    if source.len() > MOST || source.contains("headers") {
        return;
    }
    let Ok(program) = ENV.compile(source) else { return };
    let mut query = HashMap::new();
    for (name, value) in proxy::fuzzing::query::pairs(x.request.uri.query().unwrap_or_default()) {
        let name = proxy::fuzzing::query::decode(name).into_owned();
        query.entry(name).or_insert_with(|| proxy::fuzzing::query::decode(value).into_owned());
    }
    let request: HashMap<String, cel::Value> = HashMap::from([
        ("method".to_owned(), x.request.method.as_str().to_owned().into()),
        ("path".to_owned(), x.request.uri.path().to_owned().into()),
        ("host".to_owned(), x.host.to_string().into()),
        ("query".to_owned(), query.into()),
    ]);
    let mut context = Context::with_env(ENV.clone());
    context.add_variable_from_value("request", request);
    if let Ok(theirs) = program.execute(&context) {
        assert!(same(ours, &theirs), "{source}: {ours:?}, and interpreted {theirs:?}");
    }
}

fn same(ours: &Value<'_>, theirs: &cel::Value) -> bool {
    match (ours, theirs) {
        (Value::Bool(a), cel::Value::Bool(b)) => a == b,
        (Value::Int(a), cel::Value::Int(b)) => a == b,
        (Value::Double(a), cel::Value::Float(b)) => a == b || a.is_nan() && b.is_nan(),
        (Value::Text(a), cel::Value::String(b)) => **a == ***b,
        _ => false,
    }
}
