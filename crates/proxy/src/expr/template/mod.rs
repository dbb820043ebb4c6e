//! Templates (minijinja, the syntax of Jinja) for bodies, over the variables of [`schema`]. What a template refers to
//! is known when it is compiled, and only that is taken out of an exchange.

mod context;
mod form;
mod json;
mod place;

use std::sync::{Arc, LazyLock};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, escape_formatter};
use model::load::Spanned;
use model::problem::Problem;

use self::context::Need;
pub use self::form::Form;
use self::json::Writer;
use super::parse::Fault;
use super::{Reads, Scope, deep, problem};
use crate::exchange::{Error, Exchange, codes};

/// The longest template, in bytes.
pub(super) const MOST_BYTES: usize = 64 * 1024;
/// The longest text without anything to fill in, in bytes.
pub(super) const MOST_LITERAL: usize = 1 << 20;
/// Stack that a byte of a template may need to be read: measured at most 2 KiB, unoptimised (`-` after `-`).
const STACK_PER_BYTE: usize = 4 * 1024;
/// The longest text that is rendered, in bytes.
pub(super) const MOST_OUTPUT: usize = 1 << 20;
/// The most work of one rendering: an instruction, or 64 bytes, each.
const FUEL: u64 = 50_000;
/// What a template is called in its environment.
const NAME: &str = "template";

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    /// As they are.
    None,
    /// For HTML and XML.
    Html,
    /// For JSON: inside quotes as a part of that text, elsewhere as a value.
    Json,
}

impl Escape {
    fn of(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/json" | "text/json" => Escape::Json,
            "text/html" | "text/xml" | "application/xml" => Escape::Html,
            other if other.ends_with("+json") => Escape::Json,
            other if other.ends_with("+xml") => Escape::Html,
            _ => Escape::None,
        }
    }

    /// The environment that templates of this kind begin with; its parts are shared.
    fn environment(self) -> Environment<'static> {
        match self {
            Escape::None => PLAIN.clone(),
            Escape::Html => HTML.clone(),
            Escape::Json => JSON.clone(),
        }
    }
}

static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(|| environment(AutoEscape::None));
static HTML: LazyLock<Environment<'static>> = LazyLock::new(|| environment(AutoEscape::Html));
static JSON: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = environment(AutoEscape::Json);
    environment.set_formatter(|out, state, value| match state.auto_escape() {
        AutoEscape::Json if !value.is_safe() => {
            write!(out, "{}", json::BEGIN)?;
            escape_formatter(out, state, value)?;
            Ok(write!(out, "{}", json::END)?)
        }
        _ => escape_formatter(out, state, value),
    });
    environment
});

fn environment(escape: AutoEscape) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(move |_| escape.clone());
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment.remove_global("debug");
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_debug(false);
    environment
}

/// A compiled template. Cheap to clone.
#[derive(Clone)]
pub struct Template(Arc<Compiled>);

struct Compiled {
    source: Box<str>,
    /// None where there is nothing to fill in.
    machine: Option<Machine>,
    reads: Reads,
}

struct Machine {
    environment: Environment<'static>,
    escape: Escape,
    needs: Vec<Need>,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Template").field(&self.source()).finish()
    }
}

impl Template {
    /// Compiles a template over what `scope` knows, whose values are escaped as the content type asks. Every problem
    /// has its place in the file.
    pub fn compile(text: &Spanned<String>, content_type: &str, scope: Scope) -> Result<Self, Vec<Problem>> {
        Self::compile_with(text, content_type, scope, &[])
    }

    /// The same with more names, whose values [`Self::render_with`] is given.
    pub(crate) fn compile_with(
        text: &Spanned<String>,
        content_type: &str,
        scope: Scope,
        own: &'static [&'static str],
    ) -> Result<Self, Vec<Problem>> {
        let escape = Escape::of(content_type);
        let built = if text.contains("{{") || text.contains("{%") || text.contains("{#") {
            let most = text.len().min(MOST_BYTES);
            let built = deep::run((4 << 20) + most * STACK_PER_BYTE, || build(text, escape, scope, own));
            built.unwrap_or_else(|message| Err(vec![Fault::new(0..text.len(), message, "write it in another way")]))
        } else {
            literal(text)
        };
        built.map_err(|faults| faults.into_iter().map(|fault| problem(text, "config.template", fault)).collect())
    }

    /// What was written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Renders it. An error is the template's: a value that cannot be used so, or a bound.
    pub fn render(&self, x: &Exchange) -> Result<String, Error> {
        self.render_with(x, Vec::new())
    }

    /// The same with the values of the names that it was compiled with.
    pub(crate) fn render_with(
        &self,
        x: &Exchange,
        own: Vec<(&'static str, minijinja::Value)>,
    ) -> Result<String, Error> {
        let Some(machine) = &self.0.machine else { return Ok(self.source().to_owned()) };
        machine
            .render(context::with(&machine.needs, x, own))
            .map_err(|error| Error::new(&codes::INTERNAL, "A template could not be rendered.").because(error))
    }

    /// Whether it reads fields of the request's head (cookies and size included).
    pub fn reads_request_headers(&self) -> bool {
        self.0.reads.has(Reads::HEADERS)
    }

    /// Whether it reads who calls.
    pub fn reads_identity(&self) -> bool {
        self.0.reads.has(Reads::IDENTITY)
    }

    /// Whether it reads where the client is.
    pub fn reads_geo(&self) -> bool {
        self.0.reads.has(Reads::GEO)
    }

    /// Whether it reads the answer.
    pub fn reads_response(&self) -> bool {
        self.0.reads.has(Reads::RESPONSE)
    }
}

fn build(text: &str, escape: Escape, scope: Scope, own: &[&str]) -> Result<Template, Vec<Fault>> {
    let whole = 0..text.len();
    if text.len() > MOST_BYTES {
        let message = format!("the template has {} bytes, more than {MOST_BYTES}", text.len());
        return Err(vec![Fault::new(whole, message, "shorten it")]);
    }
    if escape == Escape::Json && text.contains([json::BEGIN, json::END]) {
        return Err(vec![Fault::new(whole, "the template holds control characters", "take U+0001 and U+0002 out")]);
    }
    let mut environment = escape.environment();
    environment.set_debug(true);
    if let Err(error) = environment.add_template_owned(NAME, text.to_owned()) {
        return Err(vec![fault(text, &error)]);
    }
    environment.set_debug(false);
    let (needs, reads) = {
        let template = environment.get_template(NAME).map_err(|error| vec![fault(text, &error)])?;
        let globals: Vec<&str> = environment.globals().map(|(name, _)| name).collect();
        let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        names.retain(|name| !globals.contains(&name.as_str()) && !own.contains(&first(name).as_str()));
        names.sort();
        context::needs(text, &names, scope)?
    };
    let machine = Machine { environment, escape, needs };
    machine.try_out(text)?;
    Ok(Template(Arc::new(Compiled { source: text.into(), machine: Some(machine), reads })))
}

/// A text without anything to fill in.
fn literal(text: &str) -> Result<Template, Vec<Fault>> {
    if text.len() > MOST_LITERAL {
        let message = format!("the text has {} bytes, more than {MOST_LITERAL}", text.len());
        return Err(vec![Fault::new(0..text.len(), message, "let an upstream answer with it")]);
    }
    Ok(Template(Arc::new(Compiled { source: text.into(), machine: None, reads: Reads::default() })))
}

impl Machine {
    fn render(&self, context: minijinja::Value) -> Result<String, minijinja::Error> {
        let template = self.environment.get_template(NAME)?;
        let mut writer = Writer::new(self.escape == Escape::Json, MOST_OUTPUT);
        template.render_captured_to(context, &mut writer)?;
        writer.finish().ok_or_else(|| minijinja::Error::new(ErrorKind::WriteFailure, "the text is too long"))
    }

    /// Renders it over nothing, to find what is looked up by name only then.
    fn try_out(&self, text: &str) -> Result<(), Vec<Fault>> {
        let mut environment = self.environment.clone();
        environment.set_debug(true);
        let rendered = environment
            .get_template(NAME)
            .and_then(|template| template.render_captured_to(context::nothing(&self.needs), std::io::sink()).map(drop));
        match rendered {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnknownFilter
                        | ErrorKind::UnknownTest
                        | ErrorKind::UnknownFunction
                        | ErrorKind::OutOfFuel
                ) =>
            {
                Err(vec![fault(text, &error)])
            }
            _ => Ok(()),
        }
    }
}

fn fault(text: &str, error: &minijinja::Error) -> Fault {
    let said = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let range = error.range().filter(|range| range.end <= text.len());
    let at = match range {
        Some(range) if !said.starts_with("unexpected end of input") => range,
        // What comes last is not what is wrong.
        Some(_) => place::unclosed(text).unwrap_or(text.len()..text.len()),
        None => place::unclosed(text).unwrap_or(0..text.len()),
    };
    let help = "templates are Jinja, such as `{{ request.path }}` and `{% if … %}…{% endif %}`";
    Fault::new(at, format!("the template: {said}"), help)
}
