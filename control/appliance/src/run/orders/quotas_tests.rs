//! Words, and the file that outlives who wrote them.

use super::*;
use control::config::load;
use gate::QUOTA_ROWS;
use std::fs;
use std::path::Path;

const TEXT: &str = "[firm.limits]\nmax_gross = 1000\nmax_loss = 90\n[desk.d.limits]\nmax_gross = 70\n\
                    [account.a]\n[account.b]\n[account.c]\n[strategy.s]\ndesk = \"d\"\n[strategy.t]\n[strategy.u]\n\
                    [client.one]\nuser = \"root\"\nstrategies = [\"s\"]\naccounts = [\"a\"]\n\
                    [client.two]\nuser = \"root\"\nstrategies = [\"t\"]\naccounts = [\"b\"]\n";

const UNIT: u64 = 1_000_000;

fn plan(text: &str) -> Plan {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.toml");
    fs::write(&path, text).unwrap();
    load(&[path], &[]).unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn rows() -> &'static [QuotaRow] {
    Vec::leak((0..QUOTA_ROWS).map(|_| QuotaRow::new()).collect())
}

/// The quotas of a daemon that finds `runs`, and what it told.
fn begun(path: &Path, runs: &[&str]) -> (Quotas, &'static [QuotaRow], Option<String>) {
    let (rows, runs) = (rows(), runs.iter().map(|of| name(of)).collect());
    let (quotas, told) = Quotas::new(&plan(TEXT), rows, path.to_owned(), &runs);
    (quotas.unwrap(), rows, told)
}

/// A turn in which every ring is read; what each uses of everything in units.
fn turn(quotas: &mut Quotas, clients: [(&str, Standing, u64); 2]) -> Vec<String> {
    for (client, standing, used) in clients {
        quotas.note(&name(client), standing, |_| [Some(used * UNIT); QUOTA_LIMITS]);
    }
    for client in quotas.lower(UnixNanos(1)) {
        let (.., used) = clients.iter().find(|(of, ..)| *of == client.as_str()).unwrap();
        quotas.seen(&client, |_| [Some(used * UNIT); QUOTA_LIMITS]);
    }
    quotas.raise(UnixNanos(1))
}

/// What stands in a client's words of its n-th group, gross and loss, in units.
fn words(quotas: &Quotas, rows: &'static [QuotaRow], client: &str, groups: usize, group: usize) -> [u64; 2] {
    let first = quotas.first_row(&name(client)).unwrap() as usize;
    let [gross, .., loss] = Rows::of(rows, first, groups).unwrap().get(group);
    [gross, loss].map(|word| if word == UNDIVIDED { word } else { word / UNIT })
}

#[test]
fn only_what_several_clients_share_is_divided() {
    let dir = tempfile::tempdir().unwrap();
    let alone = TEXT.split("[client.two]").next().unwrap();
    let (none, told) = Quotas::new(&plan(alone), rows(), dir.path().join("q"), &BTreeSet::new());
    assert!(none.is_none() && told.is_none());
    let (mut quotas, rows, told) = begun(&dir.path().join("q"), &[]);
    assert_eq!(told, None);
    let found = |quotas: &Quotas| (words(quotas, rows, "one", 2, 1), words(quotas, rows, "two", 1, 0));
    assert_eq!(found(&quotas), ([0; 2], [0; 2]), "nobody was given anything");
    assert_eq!(words(&quotas, rows, "one", 2, 0), [UNDIVIDED; 2], "a desk of one client");
    turn(&mut quotas, [("one", Standing::Attached, 0), ("two", Standing::Away, 0)]);
    assert_eq!(found(&quotas), ([950, 85], [50, 4]));
    turn(&mut quotas, [("one", Standing::Attached, 30), ("two", Standing::Attached, 0)]);
    assert_eq!(found(&quotas), ([515, 60], [485, 30]));
}

#[test]
fn another_daemon_counts_what_was_given_until_nobody_can_use_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("q");
    let (mut first, ..) = begun(&path, &[]);
    turn(&mut first, [("one", Standing::Attached, 0), ("two", Standing::Away, 0)]);
    // One runs by the words of the first.
    let (mut second, rows, told) = begun(&path, &["one"]);
    assert_eq!(told, None);
    let of_two = |quotas: &Quotas| words(quotas, rows, "two", 1, 0)[0];
    turn(&mut second, [("one", Standing::Fixed, 10), ("two", Standing::Attached, 0)]);
    assert_eq!((of_two(&second), words(&second, rows, "one", 2, 1)[0]), (50, 0));
    // And left orders open when it died: what they are worth is not looked at.
    turn(&mut second, [("one", Standing::Fixed, 10), ("two", Standing::Attached, 50)]);
    assert_eq!(of_two(&second), 50);
    turn(&mut second, [("one", Standing::Away, 10), ("two", Standing::Attached, 50)]);
    assert_eq!(of_two(&second), 950);
}

#[test]
fn of_what_the_file_does_not_say_nothing_is_given_away() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("q");
    let (mut first, ..) = begun(&path, &[]);
    turn(&mut first, [("one", Standing::Attached, 0), ("two", Standing::Away, 0)]);
    let text = fs::read_to_string(&path).unwrap();
    for damaged in [None, Some(""), Some(&text[..text.len() - 2]), Some(&text.replace("950", "050"))] {
        match damaged {
            None => fs::remove_file(&path).unwrap(),
            Some(text) => fs::write(&path, text).unwrap(),
        }
        let (mut quotas, rows, told) = begun(&path, &["one"]);
        assert!(told.is_some_and(|told| told.contains("what one") && told.contains("not known")));
        turn(&mut quotas, [("one", Standing::Fixed, 0), ("two", Standing::Attached, 0)]);
        assert_eq!(words(&quotas, rows, "two", 1, 0), [0; 2], "{damaged:?}");
        turn(&mut quotas, [("one", Standing::Attached, 0), ("two", Standing::Attached, 0)]);
        assert_eq!(words(&quotas, rows, "two", 1, 0), [500, 45]);
    }
}

#[test]
fn nothing_is_raised_while_the_file_cannot_be_written_and_all_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("orders");
    let (mut quotas, rows, _) = begun(&folder.join("q"), &[]);
    let busy = [("one", Standing::Attached, 0), ("two", Standing::Attached, 0)];
    let said = turn(&mut quotas, busy);
    assert!(said.len() == 1 && said[0].starts_with("warning: no quota is raised"), "{said:?}");
    assert_eq!((turn(&mut quotas, busy), words(&quotas, rows, "two", 1, 0)), (vec![], [0; 2]));
    fs::create_dir(&folder).unwrap();
    assert_eq!(turn(&mut quotas, busy).len(), 1);
    assert_eq!(words(&quotas, rows, "two", 1, 0), [500, 45]);
    // One uses nearly all that the other leaves.
    let full = [("one", Standing::Attached, 940), ("two", Standing::Attached, 49)];
    let said = turn(&mut quotas, full);
    assert!(said.iter().any(|line| line.contains("one is at its quota of max_gross of firm")), "{said:?}");
    let again = turn(&mut quotas, full);
    assert!(again.is_empty(), "{again:?}");
}
