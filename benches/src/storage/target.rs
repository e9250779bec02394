//! What a user names to be measured.

use std::str::FromStr;

use mainstay::{Error, IdSource as _, Location, RandomIds, Result};

/// A storage to measure, and what it is called in the report.
///
/// Written `URL` or `NAME=URL`, where the name has letters, digits, `-` and `_` only:
///
/// ```
/// use mainstay_bench::storage::Target;
///
/// let target: Target = "disk=/srv/scratch".parse()?;
/// assert_eq!(target.name, "disk");
/// let target: Target = "sqlite:a.db?namespace=b".parse()?;
/// assert_eq!(target.name, "sqlite:a.db?namespace=b");
/// # Ok::<(), mainstay::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub location: Location,
}

impl Target {
    /// Returns what is measured unless told otherwise: memory, a directory and, with the feature
    /// `sqlite`, a database, the latter two in the system's directory for temporary files.
    ///
    /// # Errors
    /// [`Unavailable`](mainstay::ErrorKind::Unavailable) when the operating system gives no random
    /// numbers.
    pub fn defaults() -> Result<Vec<Self>> {
        let directory = std::env::temp_dir();
        let mut targets = vec![
            Self {
                name: "memory".into(),
                location: Location::Memory,
            },
            Self {
                name: "local".into(),
                location: Location::Directory(directory.clone()),
            },
        ];
        if cfg!(feature = "sqlite") {
            let file = format!("mainstay-bench-{}.db", RandomIds::default().write_id()?);
            let url = format!("sqlite://{}", directory.join(file).display());
            targets.push(Self {
                name: "sqlite".into(),
                location: Location::parse(&url)?,
            });
        }
        Ok(targets)
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_name = |text: &str| {
            let mut chars = text.chars();
            !text.is_empty() && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        };
        let named = text.split_once('=').filter(|(name, _)| is_name(name));
        let location = Location::parse(named.map_or(text, |(_, url)| url))?;
        let name = named.map_or_else(|| location.to_string(), |(name, _)| name.into());
        Ok(Self { name, location })
    }
}
