//! The command line of the local stack: start and stay, or run the demo. What a stack is lives in the library.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use local_stack::host::{Groups, Timers};
use local_stack::stack::{Ports, Stack, StackOptions};
use local_stack::{demo, python};

/// Causeway with everything it talks to, on this machine.
#[derive(Parser)]
#[command(name = "causeway-local", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the stack and stays until Ctrl-C (the default).
    Up(Up),
    /// Runs the main job from end to end and says what happens.
    Demo(Demo),
}

#[derive(Args)]
struct Up {
    /// Prints one line of JSON when ready: endpoints, credentials, the handler's environment.
    #[arg(long)]
    json: bool,
    /// Keeps the ledger in this folder; without it, it is gone with the stack.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The first of eight ports in a row; 0 takes any free ones.
    #[arg(long, value_name = "BASE", default_value_t = 7071)]
    ports: u16,
    /// Leaves out the host and the handler, for one that is started by hand.
    #[arg(long)]
    no_host: bool,
    /// How functions share handler processes.
    #[arg(long, value_enum, default_value_t = GroupsArgument::One)]
    groups: GroupsArgument,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Demo {
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Common {
    /// The handler; default the `causeway` beside this program.
    #[arg(long, value_name = "PATH")]
    handler: Option<PathBuf>,
    /// The folder with host.json; default the current one.
    #[arg(long, value_name = "DIR", default_value = ".")]
    app_root: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum GroupsArgument {
    /// One process for all.
    One,
    /// One for HTTP and one for each other function, as Flex Consumption does.
    Flex,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Some(Command::Demo(arguments)) => run_demo(arguments).await,
        Some(Command::Up(arguments)) => up(arguments).await,
        None => match Arguments::try_parse_from(["causeway-local", "up"]).map(|arguments| arguments.command) {
            Ok(Some(Command::Up(arguments))) => up(arguments).await,
            _ => Ok(()),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("causeway-local: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn up(arguments: Up) -> anyhow::Result<()> {
    let mut options = options(&arguments.common)?;
    options.ports = if arguments.ports == 0 { Ports::Any } else { Ports::Base(arguments.ports) };
    if let Some(data) = arguments.data {
        std::fs::create_dir_all(&data).with_context(|| format!("creating {}", data.display()))?;
        // The SQL engine's Python is worth keeping together with the rest.
        options.databricks.data.clone_from(&data);
        (options.data, options.keep) = (data, true);
    }
    options.host = !arguments.no_host;
    options.timers = Timers::OnSchedule;
    options.print = !arguments.json;
    options.groups = match arguments.groups {
        GroupsArgument::One => Groups::One,
        GroupsArgument::Flex => Groups::Flex,
    };
    // Listened for from the beginning, so that a stack that is still starting ends as cleanly.
    let mut signal = std::pin::pin!(ended());
    let stack = tokio::select! {
        stack = ready(options) => stack?,
        () = &mut signal => return Ok(()),
    };
    if arguments.json {
        println!("{}", serde_json::to_string(&stack.facts())?);
    } else {
        print_table(&stack);
    }
    signal.await;
    stack.stop().await;
    Ok(())
}

async fn ready(options: StackOptions) -> anyhow::Result<Stack> {
    let stack = Stack::start(options).await?;
    stack.ready().await?;
    Ok(stack)
}

async fn run_demo(arguments: Demo) -> anyhow::Result<()> {
    demo::run(options(&arguments.common)?).await
}

fn options(common: &Common) -> anyhow::Result<StackOptions> {
    let root = &common.app_root;
    let root = root.canonicalize().with_context(|| format!("the app root {}", root.display()))?;
    let mut options = StackOptions::new(root);
    options.event_grid_retries_faster = 1;
    options.data = python::default_data();
    if let Some(handler) = &common.handler {
        // Absolute, since the host starts it in the app root.
        let found = handler.canonicalize().with_context(|| format!("the handler {}", handler.display()))?;
        options.handler = Some(found);
    }
    Ok(options)
}

fn print_table(stack: &Stack) {
    let (endpoints, credentials) = (stack.endpoints(), stack.credentials());
    let mut lines = vec![
        ("Databricks", endpoints.databricks),
        ("Power BI", endpoints.power_bi),
        ("Key Vault", endpoints.key_vault),
        ("Entra", endpoints.entra),
        ("Service Bus", endpoints.service_bus),
        ("Blob", endpoints.blob),
        ("Managed identity", endpoints.managed_identity),
        ("Event Grid", endpoints.event_grid),
        ("CA file", credentials.ca_file.display().to_string()),
    ];
    if let (Some(host), Some(key)) = (endpoints.host, credentials.host_key) {
        lines.splice(0..0, [("Host", host), ("x-functions-key", key)]);
    }
    println!("The local stack is up.");
    for (name, value) in lines {
        println!("  {name:<18}{value}");
    }
    if stack.host.is_none() {
        println!("The handler's environment:");
        for (name, value) in stack.handler_environment() {
            println!("  {name}={value}");
        }
    }
    println!("Ctrl-C stops it.");
}

/// Ctrl-C, or SIGTERM where there is one.
async fn ended() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
