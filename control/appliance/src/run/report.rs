//! What boot prints.

use super::of_feed::named;
use crate::line::link::Links;
use crate::output::tell;
use control::config::{CpuChoice, Plan};

/// Warnings, placement, memory and groups.
#[derive(Default)]
pub(super) struct Report {
    pub(super) warnings: Vec<String>,
    /// Stage, CPU, input, what happens when that is full.
    pub(super) stages: Vec<[String; 4]>,
    pub(super) memory: Vec<(String, usize)>,
    /// Multicast group, how it is joined, by which filter the port receives it.
    pub(super) groups: Vec<[String; 3]>,
}

impl Report {
    /// Says which stages there are, where they run, and what happens when a link is full.
    pub(super) fn describe(&mut self, plan: &Plan, links: &Links, scorer: bool) {
        let cpu = |choice: CpuChoice| choice.cpu().map_or_else(|| "any".to_owned(), |cpu| cpu.to_string());
        let row = |stage: &str, at: &str, input: String, full: &str| {
            [stage.to_owned(), at.to_owned(), input, full.to_owned()]
        };
        let placement = &plan.placement;
        let at = [placement.featurizer_cpu, placement.scorer_cpu, placement.desk_cpu].map(cpu);
        for feed in &plan.feeds {
            let receiver = cpu(plan.receiver_cpu(feed));
            let full = links.events.when_full.as_str();
            self.stages.push(row(&named("receiver", plan, feed), &receiver, feed.source.to_string(), full));
            if let Some(requests) = super::recovery::described(feed, links) {
                let full = links.server_answers.when_full.as_str();
                self.stages.push(row(&named("recovery", plan, feed), "any", requests, full));
            }
        }
        let of_each = if plan.feeds.len() > 1 { " of each feed" } else { "" };
        let events = format!("{} events{of_each}", links.events.depth);
        self.stages.push(row("featurizer", &at[0], events, links.vectors.when_full.as_str()));
        if scorer {
            let vectors = format!("{} vectors", links.vectors.depth);
            self.stages.push(row("scorer", &at[1], vectors, "never: one slot per row"));
        }
        let questions = format!("{} questions", links.questions.depth);
        self.stages.push(row("desk", &at[2], questions, links.answers.when_full.as_str()));
        let clients = plan.clients.len();
        if clients > 0 {
            let input = format!("{clients} with their own gates");
            self.stages.push(row("order processes", "any", input, links.order_records.when_full.as_str()));
        }
        for gateway in plan.gateways.iter().filter(|gateway| gateway.in_daemon) {
            let input = format!("orders at {} for {}", gateway.listen, gateway.venue);
            let name = format!("gateway {}", gateway.name);
            self.stages.push(row(&name, &cpu(gateway.cpu), input, "hang up on who does not read"));
        }
        let verdicts = format!("{} records of each order process", links.order_records.depth);
        self.stages.push(row("verdict log", "any", verdicts, "never: a file"));
        let receivers = plan.feeds.iter().map(|feed| cpu(plan.receiver_cpu(feed)));
        if receivers.chain(at[..2].iter().cloned()).any(|cpu| cpu == "any") {
            self.warnings.push(
                "a stage has no CPU of its own (placement.*_cpu = \"any\"): tails will be milliseconds"
                    .into(),
            );
        }
    }

    /// Prints it: warnings on stderr, tables on stdout.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        for warning in &self.warnings {
            tell(format_args!("warning: {warning}"));
        }
        let table = |heading: &[&str]| {
            let mut table = comfy_table::Table::new();
            table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(heading);
            table
        };
        let mut placement = table(&["stage", "cpu", "input", "when full"]);
        placement.add_rows(self.stages.iter().map(<[String; 4]>::each_ref));
        let mut memory = table(&["memory", "bytes"]);
        memory.add_rows(self.memory.iter().map(|(what, bytes)| [what.clone(), bytes.to_string()]));
        crate::output::say(format_args!("{placement}\n{memory}"))?;
        if !self.groups.is_empty() {
            let mut groups = table(&["multicast group", "joined by", "received by"]);
            groups.add_rows(self.groups.iter().map(<[String; 3]>::each_ref));
            crate::output::say(format_args!("{groups}"))?;
        }
        Ok(())
    }
}
