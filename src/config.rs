//! The configuration: from a YAML file to settings that cannot be wrong.

pub mod settings;

pub use settings::Settings;
