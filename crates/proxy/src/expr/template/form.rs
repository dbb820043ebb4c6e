//! Templates over values that somebody gives, not over an exchange.

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use model::load::Spanned;
use model::problem::Problem;
use serde_json::Value;

use super::super::{deep, parse::Fault, problem};
use super::json::Writer;
use super::{FUEL, MOST_BYTES, MOST_OUTPUT, NAME, STACK_PER_BYTE, environment, fault, literal};

/// A compiled template whose variables are given with each rendering. Values are written as they are.
#[derive(Debug)]
pub struct Form {
    source: Box<str>,
    /// None where there is nothing to fill in.
    environment: Option<Environment<'static>>,
}

impl Form {
    /// Compiles a template over variables of these names. Every problem has its place in the file.
    pub fn compile(text: &Spanned<String>, names: &[&str]) -> Result<Self, Vec<Problem>> {
        let built = if text.contains("{{") || text.contains("{%") || text.contains("{#") {
            let most = text.len().min(MOST_BYTES);
            let built = deep::run((4 << 20) + most * STACK_PER_BYTE, || build(text, names));
            built.unwrap_or_else(|message| Err(vec![Fault::new(0..text.len(), message, "write it in another way")]))
        } else {
            literal(text).map(|_| None)
        };
        match built {
            Ok(environment) => Ok(Self { source: text.as_str().into(), environment }),
            Err(faults) => Err(faults.into_iter().map(|fault| problem(text, "config.template", fault)).collect()),
        }
    }

    /// Renders it over an object's fields. An error is a sentence for whoever gave them.
    pub fn render(&self, values: &Value) -> Result<String, String> {
        let Some(environment) = &self.environment else { return Ok(self.source.to_string()) };
        let told = |error: minijinja::Error| match error.kind() {
            ErrorKind::OutOfFuel => "the template takes too much work".to_owned(),
            _ => error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
        };
        let template = environment.get_template(NAME).map_err(told)?;
        let mut writer = Writer::new(false, MOST_OUTPUT);
        template.render_captured_to(of_json(values), &mut writer).map_err(told)?;
        writer.finish().ok_or_else(|| format!("the text has more than {MOST_OUTPUT} bytes"))
    }
}

/// A value as templates have it.
fn of_json(value: &Value) -> minijinja::Value {
    match value {
        Value::Null => minijinja::Value::from(()),
        Value::Bool(value) => minijinja::Value::from(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => minijinja::Value::from(number),
            (None, Some(number)) => minijinja::Value::from(number),
            (None, None) => minijinja::Value::from(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => minijinja::Value::from(text.as_str()),
        Value::Array(list) => list.iter().map(of_json).collect(),
        Value::Object(fields) => {
            minijinja::Value::from_pairs(fields.iter().map(|(name, value)| (name.as_str(), of_json(value))))
        }
    }
}

fn build(text: &str, names: &[&str]) -> Result<Option<Environment<'static>>, Vec<Fault>> {
    if text.len() > MOST_BYTES {
        let message = format!("the template has {} bytes, more than {MOST_BYTES}", text.len());
        return Err(vec![Fault::new(0..text.len(), message, "shorten it")]);
    }
    let mut environment = environment(AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_debug(true);
    if let Err(error) = environment.add_template_owned(NAME, text.to_owned()) {
        return Err(vec![fault(text, &error)]);
    }
    environment.set_debug(false);
    let unknown: Vec<String> = {
        let template = environment.get_template(NAME).map_err(|error| vec![fault(text, &error)])?;
        let globals: Vec<&str> = environment.globals().map(|(name, _)| name).collect();
        let asked = template.undeclared_variables(false).into_iter();
        asked.filter(|name| !globals.contains(&name.as_str()) && !names.contains(&name.as_str())).collect()
    };
    if let Some(name) = unknown.iter().min() {
        let at = text.find(name.as_str()).map_or(0..text.len(), |at| at..at + name.len());
        return Err(vec![Fault::new(at, format!("unknown variable `{name}`"), "name it among the variables")]);
    }
    Ok(Some(environment))
}
