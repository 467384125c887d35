//! Who may do what. Two languages, Vault's path policies and the second seed's documents, are compiled into one model, and
//! [one evaluator](Policies::evaluate) decides for enforcement, capabilities, lists and the simulator alike. What is not
//! known, cannot be read or is granted by nobody is denied.
//!
//! | file | what it is |
//! |---|---|
//! | `syntax` | from text to a tree: HCL 1 and JSON |
//! | `rule`, `parameters`, `condition`, `variable` | Vault's rules on paths, with what narrows them |
//! | `document` | the second seed's documents on secrets |
//! | `pattern`, `tree` | which pattern matches a path most exactly, one at a time and all at once |
//! | `compiled`, `set`, `built_in` | one policy, all of them, those that every vault has |
//! | `evaluate`, `simulate` | the decision, and why |
//! | `templates` | documents to begin with |

mod built_in;
mod capability;
mod compiled;
mod condition;
mod document;
mod evaluate;
mod parameters;
mod pattern;
mod rule;
mod set;
mod simulate;
mod syntax;
pub mod templates;
mod tree;
mod variable;

pub use built_in::is_fixed;
pub use capability::{Capability, Grants, parse_operation};
pub use compiled::Policy;
pub use condition::{Facts, Holds};
pub use document::{Deed, Subject};
pub use evaluate::{Decision, Question, Reason};
pub use set::Policies;
pub(crate) use set::{POLICY_FORMAT, StoredPolicy};
pub use simulate::{Simulation, Step};
pub use variable::{NoEntities, Resolver};

/// The identity and policy that serve the first seed's interface.
pub const SECRET_MANAGER: &str = "secret-manager";
