//! `gatehouse suggest`: rules to start from, after what a route's upstream lists.
//!
//! 1. The upstream is asked as the gateway would ask it, and only for its lists; see `cli/line`.
//! 2. The rules go to standard output, as YAML to be pasted under the route; what no rule of the
//!    present configuration covers is named on standard error.
//! 3. A token is never sent upstream, for no route forwards one: it serves to say what it could use
//!    by the present rules, and its authorization server is asked for that.
//! 4. Exit status 0 when the rules were printed; 1 when the upstream, or whoever knows the token,
//!    could not be asked; 2 for a wrong command line or configuration.

mod coverage;
mod inventory;
mod print;
mod scheme;

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use clap::Args;
use tokio::runtime::Builder;

use self::{inventory::Inventory, print::Proposal, scheme::Scheme};
use super::{
    DONE, FAILED, WRONG_USE, explain,
    line::{Line, conversation::Conversation},
    token,
};
use crate::{
    clock::{Clock, SystemClock},
    config::{Environment, Loaded, settings::RouteSettings},
};

/// Which route, and for whom.
#[derive(Clone, Debug, Default, Args)]
pub struct Wanted {
    /// The route whose upstream is asked.
    #[arg(long, value_name = "NAME")]
    pub route: String,
    /// An access token: also say what it could use by the present rules. Other users of this
    /// machine can see it: prefer --token-file.
    #[arg(long, conflicts_with = "token_file")]
    pub token: Option<String>,
    /// A file with the access token [default: the environment variable `GATEHOUSE_TOKEN`].
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// What an upstream said.
struct Heard {
    inventory: Inventory,
    revision: String,
}

/// Proposes rules for one route; returns the exit status.
pub fn suggest(
    loaded: Loaded,
    wanted: &Wanted,
    environment: &dyn Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let asked = question(&loaded, wanted, environment);
    let (route, token) = match asked {
        Ok(asked) => asked,
        Err(why) => {
            // Nowhere is left to report a failure to report.
            let _ = writeln!(err, "gatehouse: {why}");
            return WRONG_USE;
        }
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let heard = match ask(&route, &clock) {
        Ok(heard) => heard,
        Err(why) => {
            let url = &route.upstream.url;
            let _ = writeln!(err, "gatehouse: {url}: {why}; `check --online` may say more");
            return FAILED;
        }
    };
    let told = propose(&route, &heard, (&mut *out, err));
    let is_told = match (told, token) {
        (Err(_), _) => false,
        (Ok(()), None) => true,
        (Ok(()), Some(token)) => what_it_may(loaded, &route, &token, &heard.inventory, out)
            .unwrap_or_else(|why| {
                let _ = writeln!(err, "gatehouse: {why}");
                false
            }),
    };
    if is_told { DONE } else { FAILED }
}

/// The route and the token that the command line names.
fn question(
    loaded: &Loaded,
    wanted: &Wanted,
    environment: &dyn Environment,
) -> Result<(RouteSettings, Option<String>), String> {
    let routes = &loaded.settings.routes;
    let route = routes.iter().find(|route| *route.name == *wanted.route).ok_or_else(|| {
        let names: Vec<&str> = routes.iter().map(|route| &*route.name).collect();
        format!("--route: there is no route {:?}; there are {}", wanted.route, names.join(", "))
    })?;
    let file = wanted.token_file.as_deref();
    Ok((route.clone(), token::read(wanted.token.as_deref(), file, environment)?))
}

fn ask(route: &RouteSettings, clock: &Arc<dyn Clock>) -> Result<Heard, String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let line = Line::to(route, clock).ok_or("no TLS towards it can be prepared")?;
        let mut conversation = Conversation::begin(line, &route.upstream.url)
            .await
            .map_err(|error| error.to_string())?;
        let inventory = Inventory::ask(&mut conversation).await;
        let revision = conversation.revision.clone();
        conversation.end().await;
        Ok(Heard { inventory: inventory.map_err(|error| error.to_string())?, revision })
    })
}

fn propose(
    route: &RouteSettings,
    heard: &Heard,
    (out, err): (&mut dyn Write, &mut dyn Write),
) -> io::Result<()> {
    let protected = route.protected();
    let none = crate::oauth::Scope::default();
    let required = protected.map_or(&none, |protected| &protected.required_scopes);
    let proposal = Proposal {
        route: &route.name,
        upstream: route.upstream.url.as_str(),
        revision: &heard.revision,
        inventory: &heard.inventory,
        scheme: &Scheme::of(required, &route.name),
        is_protected: protected.is_some(),
    };
    proposal.print(out)?;
    let rules = protected.map(|protected| &protected.rules);
    coverage::uncovered(&heard.inventory, rules, &route.name, err)
}

/// Says what a token could use; `Ok(false)` when nobody knows.
fn what_it_may(
    loaded: Loaded,
    route: &RouteSettings,
    token: &str,
    inventory: &Inventory,
    out: &mut dyn Write,
) -> Result<bool, String> {
    let uses = coverage::uses(inventory);
    let bodies: Vec<Bytes> = uses.iter().map(|used| used.body.clone()).collect();
    let url = format!("{}{}", route.public_url.as_str(), route.path);
    let parts = explain::post(&url, token)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let rehearsals = explain::rehearse_all(loaded.settings, &parts, &bodies, &clock)?;
    coverage::print(&uses, &rehearsals, out).map_err(|error| error.to_string())
}
