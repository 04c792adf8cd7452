//! The command line: one file per command.
//!
//! Exit status: 0 done, 1 failed while running, 2 the command line or the configuration is wrong.
//! Results go to standard output, errors to standard error.

pub mod check;
pub mod demo;
pub mod explain;
pub mod healthcheck;
mod line;
pub mod schema;
pub mod serve;
pub mod suggest;
mod token;

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

use crate::{
    authorize::rule_tests,
    config::{self, Environment, Loaded, Overrides, Problem, ProcessEnvironment},
    reload::watch::Source,
};

/// Authenticating reverse proxy in front of unmodified MCP servers.
#[derive(Debug, Parser)]
#[command(name = "gatehouse", version = VERSION, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read the configuration and print every problem with its place in the file.
    Check {
        #[command(flatten)]
        config: ConfigFlag,
        /// Print `{ok, problems}` as JSON; with --online also `findings`.
        #[arg(long)]
        json: bool,
        /// Also ask the authorization servers and upstreams; exit with 1 when something is wrong.
        #[arg(long)]
        online: bool,
    },
    /// Run a demo authorization server, a demo MCP server and the gateway between them, and walk
    /// through the flow.
    Demo {
        /// End after the walk; exit with 0 only if every step went as it should.
        #[arg(long)]
        once: bool,
    },
    /// Say what would happen to a request, and why; nothing is forwarded.
    Explain {
        #[command(flatten)]
        config: ConfigFlag,
        #[command(flatten)]
        asked: explain::Asked,
    },
    /// Exit with 0 when /readyz answers 200; for containers without a shell.
    Healthcheck {
        #[command(flatten)]
        config: ConfigFlag,
    },
    /// Print the configuration's JSON Schema, for editors.
    Schema {
        /// Print the reference of every key instead, as Markdown.
        #[arg(long)]
        reference: bool,
        /// Print the reference of every metric instead, as Markdown.
        #[arg(long, conflicts_with = "reference")]
        metrics: bool,
    },
    /// Ask a route's upstream for its tools, prompts and resources, and print rules to start from.
    Suggest {
        #[command(flatten)]
        config: ConfigFlag,
        #[command(flatten)]
        wanted: suggest::Wanted,
    },
    /// Run the gateway.
    Serve {
        #[command(flatten)]
        config: ConfigFlag,
        /// Listen here instead of at the file's listen.address.
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<SocketAddr>,
        /// Serve operators here instead of at the file's admin.address.
        #[arg(long, value_name = "ADDRESS")]
        admin: Option<SocketAddr>,
    },
}

#[derive(Debug, Args)]
struct ConfigFlag {
    /// The configuration file.
    #[arg(short, long = "config", value_name = "FILE", help = CONFIG_HELP)]
    config: Option<PathBuf>,
}

impl ConfigFlag {
    fn path(&self, environment: &dyn Environment) -> PathBuf {
        config::find(self.config.as_deref(), environment)
    }
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results, everything else is an error; clap knows which.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(WRONG_USE));
        }
    };
    let environment = ProcessEnvironment;
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let code = match cli.command {
        Command::Check { config, json, online } => {
            let asking = check::Asking { is_json: json, is_online: online };
            check::check(&config.path(&environment), asking, &environment, &mut out, &mut err)
                .unwrap_or(FAILED)
        }
        Command::Demo { once } => {
            // The locks would keep the story and the log from being written.
            drop((out, err));
            demo::demo(once)
        }
        Command::Explain { config, asked } => match load(&config, &environment, &mut err) {
            Some(loaded) => explain::explain(loaded, &asked, &environment, &mut out, &mut err),
            None => WRONG_USE,
        },
        Command::Suggest { config, wanted } => match load(&config, &environment, &mut err) {
            Some(loaded) => suggest::suggest(loaded, &wanted, &environment, &mut out, &mut err),
            None => WRONG_USE,
        },
        Command::Schema { reference, metrics } => {
            let form = schema::Form::of(reference, metrics);
            schema::schema(form, &mut out).map_or(FAILED, |()| DONE)
        }
        Command::Healthcheck { config } => match load(&config, &environment, &mut err) {
            Some(loaded) => healthcheck::healthcheck(&loaded.settings, &mut err),
            None => WRONG_USE,
        },
        Command::Serve { config, listen, admin } => {
            let overrides = Overrides { listen_address: listen, admin_address: admin };
            let path = config.path(&environment);
            let source = Source::new(path, overrides, Box::new(environment));
            let (loaded, files) = source.read();
            match usable(loaded, &mut err) {
                Some(loaded) => {
                    // The locks would keep the log's thread from writing.
                    drop((out, err));
                    serve::serve(loaded, source, files)
                }
                None => WRONG_USE,
            }
        }
    };
    ExitCode::from(code)
}

/// Loads the configuration, or prints every problem.
fn load(config: &ConfigFlag, environment: &dyn Environment, err: &mut dyn Write) -> Option<Loaded> {
    usable(rule_tests::load(&config.path(environment), environment), err)
}

fn usable(loaded: Result<Loaded, Vec<Problem>>, err: &mut dyn Write) -> Option<Loaded> {
    match loaded {
        Ok(loaded) => Some(loaded),
        Err(problems) => {
            // Nowhere is left to report a failure to report.
            for problem in problems {
                let _ = writeln!(err, "{problem}");
            }
            None
        }
    }
}

const CONFIG_HELP: &str = "The configuration file [default: $GATEHOUSE_CONFIG, \
    ./gatehouse.yaml, /etc/gatehouse/gatehouse.yaml]";
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("GATEHOUSE_REVISION"), ")");
const DONE: u8 = 0;
const FAILED: u8 = 1;
const WRONG_USE: u8 = 2;
