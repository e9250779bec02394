//! Version, link and roll back everything a production AI system is made of.
