//! Why the rows of a file are not merged.

/// What keeps the rows of a file, which both sides changed, from being merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmerged {
    /// One of the versions has it as a file of no rows.
    NoTable,
    /// Columns of other names or logical types.
    Columns,
    /// A column of strings on one side, of JSON text on another.
    Json,
    /// Without a key, more than rows added behind.
    NoKey,
    /// Rows of the same key.
    Key,
    /// Values that our columns cannot hold.
    Values,
}

impl Unmerged {
    /// Says it to a user.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::NoTable => "changed on both sides",
            Self::Columns => "changed on both sides, and its columns differ",
            Self::Json => {
                "changed on both sides, and a column is text in one version and JSON text in another"
            }
            Self::NoKey => {
                "changed on both sides, and without a key only rows added behind are merged: name the \
                 columns that tell rows apart"
            }
            Self::Key => "changed on both sides, and the key does not tell its rows apart",
            Self::Values => {
                "changed on both sides, and values of theirs do not fit into our columns as these are \
                 encoded"
            }
        }
    }
}
