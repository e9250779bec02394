//! Model registry: versions, signatures, inferred semantic versions, stages, aliases.
