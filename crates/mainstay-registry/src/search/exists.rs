//! Parses what follows `EXISTS`.

use mainstay_core::{Locator, NodeKind, Result, Selector};

use super::parse::Parser;
use super::query::{Attribute, Direction, Exists, Field};
use super::token::{Kind, wrong};

impl Parser {
    pub(super) fn exists(&mut self) -> Result<Exists> {
        let direction = if self.takes("UPSTREAM") {
            Direction::Up
        } else if self.takes("DOWNSTREAM") {
            Direction::Down
        } else {
            return Err(self.unexpected("UPSTREAM or DOWNSTREAM"));
        };
        if direction == Direction::Up && self.takes("HAS") {
            return self.has();
        }
        let within = if self.takes("WITHIN") {
            Some(self.edges()?)
        } else {
            None
        };
        self.expects("OF")?;
        let of = self.reference()?;
        Ok(Exists::Near {
            direction,
            within,
            of,
        })
    }

    fn has(&mut self) -> Result<Exists> {
        let kind = self.kind()?;
        let column = self.column();
        if !self.takes("WHERE") {
            return Ok(Exists::Has { kind, filter: None });
        }
        let outer = self.thing.replace(kind);
        let filter = self.deeper(column, Self::any)?;
        self.thing = outer;
        Ok(Exists::Has {
            kind,
            filter: Some(Box::new(filter)),
        })
    }

    fn kind(&mut self) -> Result<NodeKind> {
        let kind = match self.peek().map(|token| &token.kind) {
            Some(Kind::Word { text, key: None }) => text.to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        let kind: NodeKind = kind.ok_or_else(|| self.unexpected("a kind such as data or model"))?;
        if let NodeKind::Code | NodeKind::Agent | NodeKind::Channel = kind {
            let why = format!("no versions of the kind {kind} are kept; write OF '{kind}:…'");
            return Err(wrong(self.column(), why));
        }
        self.at += 1;
        Ok(kind)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number within the range"
    )]
    fn edges(&mut self) -> Result<u32> {
        match self.peek().map(|token| &token.kind) {
            Some(Kind::Number(edges))
                if (1.0..=f64::from(u32::MAX)).contains(edges) && edges.fract() == 0.0 =>
            {
                let edges = *edges as u32;
                self.at += 1;
                Ok(edges)
            }
            _ => Err(self.unexpected("how many edges, at least 1")),
        }
    }

    fn reference(&mut self) -> Result<Locator> {
        let Some(Kind::Text(text)) = self.peek().map(|token| &token.kind) else {
            return Err(self.unexpected("a reference in quotes, as 'data:payments@3'"));
        };
        let column = self.column();
        let of: Locator = text
            .parse()
            .map_err(|error| wrong(column, "not a reference").with_source(error))?;
        match (of.kind, &of.selector) {
            (None, _) => Err(wrong(column, "which kind? write kind:name@version")),
            (Some(NodeKind::Model), _) | (_, Selector::Named(_)) => {
                self.at += 1;
                Ok(of)
            }
            (Some(kind), _) => {
                let why = format!("name one version, as {kind}:name@version");
                Err(wrong(column, why))
            }
        }
    }
}

/// Lets through what is known of a thing that is no model.
pub(super) fn of_thing(field: Field, kind: NodeKind, column: usize) -> Result<Field> {
    match field {
        Field::Attribute(Attribute::Name | Attribute::Created) => Ok(field),
        Field::Attribute(Attribute::Version) => Ok(Field::Attribute(Attribute::Label)),
        _ => {
            let why = format!("of the kind {kind} name, version and created are known");
            Err(wrong(column, why))
        }
    }
}
