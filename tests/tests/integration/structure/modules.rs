//! The modules of a crate see each other without circles: each can be read, tested and moved after what it is built on.
//!
//! A module is a file. It sees another when it names something that is defined there: in a `use`, or by a path in its code;
//! a name that a module only passes on (`pub use`) counts for the file that defines it. A file that declares modules sees
//! what it names of them; what it only passes on of its own modules is no sight. Tests may see everything. Beside the files,
//! whole modules count: what one with all beneath it sees of another that stands beside it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::pending::{self, only_pending};
use super::source::{SourceFile, code_of, rust_files};

/// A part of code that paths are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// `::`
    Path,
    Other(char),
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            found.push(Token::Word(&rest[..end]));
            end
        } else if rest.starts_with("::") {
            found.push(Token::Path);
            2
        } else {
            found.push(Token::Other(first));
            first.len_utf8()
        };
        rest = rest[length..].trim_start();
    }
    found
}

/// A path within a crate, from its root.
type ModulePath = Vec<String>;

/// An import: the name it gives (`*` for all), the path, and whether it is passed on.
#[derive(Clone, Debug)]
struct Import {
    scope: ModulePath,
    name: String,
    path: Vec<String>,
    is_public: bool,
}

/// What a file says about its module, and about the modules written within it.
#[derive(Default)]
struct Contents {
    /// Modules in files of their own, declared here.
    declared: Vec<ModulePath>,
    /// Modules written here, with the file's own.
    scopes: BTreeSet<ModulePath>,
    /// Items defined here.
    items: BTreeSet<(ModulePath, String)>,
    imports: Vec<Import>,
    /// Paths of two parts or more in the code, with the module they stand in.
    paths: Vec<(ModulePath, Vec<String>)>,
}

/// Reads a file whose module is `module`.
fn contents(production: &str, module: &ModulePath) -> Contents {
    let tokens = tokens(production);
    let mut read = Contents::default();
    read.scopes.insert(module.clone());
    // Modules written in the file are open until their brace closes.
    let mut scope = module.clone();
    let mut open: Vec<usize> = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while at < tokens.len() {
        let next = |n: usize| tokens.get(at + n).copied();
        match (tokens[at], next(1), next(2)) {
            (Token::Word("mod"), Some(Token::Word(name)), Some(Token::Other(';'))) => {
                read.declared.push(joined(&scope, name));
                at += 3;
            }
            (Token::Word("mod"), Some(Token::Word(name)), Some(Token::Other('{'))) => {
                scope.push(name.to_owned());
                read.scopes.insert(scope.clone());
                open.push(depth);
                depth += 1;
                at += 3;
            }
            (Token::Word("use"), ..) => {
                let is_public = at > 0 && matches!(tokens[at - 1], Token::Word("pub") | Token::Other(')'));
                let end = at + tokens[at..].iter().position(|t| *t == Token::Other(';')).unwrap_or(0);
                let mut leaves = Vec::new();
                use_tree(&tokens[at + 1..end], &[], &mut leaves);
                let import = |(name, path)| Import { scope: scope.clone(), name, path, is_public };
                read.imports.extend(leaves.into_iter().map(import));
                at = end + 1;
            }
            (
                Token::Word("fn" | "struct" | "enum" | "trait" | "const" | "static" | "type" | "union"),
                Some(Token::Word(name)),
                _,
            ) => {
                if depth == open.len() {
                    read.items.insert((scope.clone(), name.to_owned()));
                }
                at += 2;
            }
            (Token::Word(first), Some(Token::Path), _) if at == 0 || tokens[at - 1] != Token::Path => {
                let mut path = vec![first.to_owned()];
                at += 1;
                while let (Some(Token::Path), Some(Token::Word(part))) = (tokens.get(at), tokens.get(at + 1))
                {
                    path.push((*part).to_owned());
                    at += 2;
                }
                read.paths.push((scope.clone(), path));
            }
            (Token::Other('{'), ..) => {
                depth += 1;
                at += 1;
            }
            (Token::Other('}'), ..) => {
                depth = depth.saturating_sub(1);
                if open.last() == Some(&depth) {
                    open.pop();
                    scope.pop();
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    read
}

/// The names that the tree of a `use` gives, each with its path.
fn use_tree(tree: &[Token<'_>], before: &[String], leaves: &mut Vec<(String, Vec<String>)>) {
    let mut path = before.to_vec();
    let mut at = 0;
    while at < tree.len() {
        match tree[at] {
            Token::Word("as") => {
                if let Some(Token::Word(name)) = tree.get(at + 1) {
                    leaves.push(((*name).to_owned(), path));
                }
                return;
            }
            Token::Word(part) => path.push(part.to_owned()),
            Token::Other('*') => {
                leaves.push(("*".to_owned(), path));
                return;
            }
            Token::Other('{') => {
                let mut depth = 0;
                let mut start = at + 1;
                for (end, token) in tree.iter().enumerate().skip(at) {
                    match token {
                        Token::Other('{') => depth += 1,
                        Token::Other('}') => depth -= 1,
                        _ => {}
                    }
                    let ends = (depth == 1 && *token == Token::Other(',')) || depth == 0;
                    if ends && start < end {
                        use_tree(&tree[start..end], &path, leaves);
                    }
                    if ends {
                        start = end + 1;
                    }
                    if depth == 0 {
                        return;
                    }
                }
                return;
            }
            Token::Path | Token::Other(_) => {}
        }
        at += 1;
    }
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let Some(name) = path.last().cloned() {
        leaves.push((name, path));
    }
}

fn joined(module: &[String], name: &str) -> ModulePath {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// The modules of one target, by the file that holds them.
struct Target {
    files: Vec<(String, Contents)>,
    /// Which file holds a module.
    holder: BTreeMap<ModulePath, usize>,
}

impl Target {
    /// Reads the modules that `root` declares, and theirs.
    fn read(root: &str, sources: &BTreeMap<&str, &SourceFile>) -> Self {
        let mut target = Self { files: Vec::new(), holder: BTreeMap::new() };
        let folder = root.rsplit_once('/').expect("a folder").0;
        let mut waiting: VecDeque<(String, ModulePath)> = VecDeque::from([(root.to_owned(), Vec::new())]);
        while let Some((path, module)) = waiting.pop_front() {
            let read = contents(&sources[path.as_str()].production, &module);
            for declared in &read.declared {
                let stem = format!("{folder}/{}", declared.join("/"));
                let found = [format!("{stem}.rs"), format!("{stem}/mod.rs")];
                let file = found.iter().find(|file| sources.contains_key(file.as_str()));
                waiting.push_back((
                    file.unwrap_or_else(|| panic!("no file for {stem}")).clone(),
                    declared.clone(),
                ));
            }
            for scope in &read.scopes {
                target.holder.insert(scope.clone(), target.files.len());
            }
            target.files.push((path, read));
        }
        target
    }

    /// The file that defines what `path`, written in `scope` of file `from`, names; `None` for what is of no module of
    /// this target, and for a module as a whole.
    fn definition(&self, from: usize, scope: &ModulePath, path: &[String], hops: usize) -> Option<usize> {
        let first = path.first()?;
        let (base, rest): (ModulePath, &[String]) = match first.as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (scope.clone(), &path[1..]),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                (scope[..scope.len().checked_sub(ups)?].to_vec(), &path[ups..])
            }
            _ if self.holder.contains_key(&joined(scope, first)) => (scope.clone(), path),
            name => {
                let imports = &self.files[from].1.imports;
                let import = imports.iter().find(|i| i.name == name && i.scope == *scope)?;
                let whole: Vec<String> = import.path.iter().chain(&path[1..]).cloned().collect();
                // `use name;` and `use name::name;` of another crate name themselves.
                if hops == 0
                    || import.path.first() == Some(first) && !self.holder.contains_key(&joined(scope, first))
                {
                    return None;
                }
                return self.definition(from, scope, &whole, hops - 1);
            }
        };
        self.definition_from(base, rest, hops)
    }

    /// The same for a path from the crate's root: the modules named first, then what the last one defines or passes on.
    fn definition_from(&self, mut module: ModulePath, path: &[String], hops: usize) -> Option<usize> {
        let mut rest = path;
        while let Some(part) = rest.first()
            && self.holder.contains_key(&joined(&module, part))
        {
            module.push(part.clone());
            rest = &rest[1..];
        }
        let file = *self.holder.get(&module)?;
        let name = rest.first()?;
        let (_, read) = &self.files[file];
        if name == "*" || hops == 0 || read.items.contains(&(module.clone(), name.clone())) {
            return Some(file);
        }
        let passed: Vec<&Import> = read.imports.iter().filter(|i| i.scope == module).collect();
        if let Some(import) = passed.iter().find(|i| i.name == *name) {
            let whole: Vec<String> = import.path.iter().chain(&rest[1..]).cloned().collect();
            let first = import.path.first();
            let elsewhere = first.is_some_and(|f| {
                !["crate", "self", "super"].contains(&f.as_str())
                    && !self.holder.contains_key(&joined(&module, f))
            });
            return if elsewhere { None } else { self.definition(file, &module, &whole, hops - 1) };
        }
        let through_all = passed.iter().filter(|i| i.name == "*").find_map(|import| {
            let all: Vec<String> = import.path.iter().chain([name]).cloned().collect();
            let target = self.definition(file, &module, &all, hops - 1)?;
            let defines = self.files[target].1.items.iter().any(|(_, item)| item == name);
            defines.then_some(target)
        });
        // What a macro defines is not seen, and counts for the module that is named.
        through_all.or(Some(file))
    }

    /// The files that each file sees.
    fn sights(&self) -> Vec<BTreeSet<usize>> {
        let mut sights = vec![BTreeSet::new(); self.files.len()];
        for (from, (_, read)) in self.files.iter().enumerate() {
            for import in &read.imports {
                let mut path = import.path.clone();
                if import.name == "*" {
                    path.push("*".to_owned());
                }
                let own = import.is_public && self.is_beneath(from, &import.scope, &path);
                sights[from].extend(self.definition(from, &import.scope, &path, 8).filter(|_| !own));
            }
            for (scope, path) in &read.paths {
                sights[from].extend(self.definition(from, scope, path, 8));
            }
            sights[from].remove(&from);
        }
        sights
    }

    /// Whether `path` leads into a module that the file itself declares.
    fn is_beneath(&self, from: usize, scope: &ModulePath, path: &[String]) -> bool {
        let path = path.strip_prefix(&["self".to_owned()]).unwrap_or(path);
        path.first().is_some_and(|first| self.files[from].1.declared.contains(&joined(scope, first)))
    }
}

impl Target {
    /// What whole modules see of those declared beside them: each by the number of its own file.
    fn sights_of_whole_modules(&self) -> Vec<BTreeSet<usize>> {
        let module_of = |file: usize| self.files[file].1.scopes.first().expect("a file's own module");
        let mut whole = vec![BTreeSet::new(); self.files.len()];
        for (from, seen) in self.sights().into_iter().enumerate() {
            for to in seen {
                let (a, b) = (module_of(from), module_of(to));
                let shared = a.iter().zip(b).take_while(|(a, b)| a == b).count();
                // One stands above the other: no neighbours.
                if shared < a.len() && shared < b.len() {
                    whole[self.holder[&a[..=shared]]].insert(self.holder[&b[..=shared]]);
                }
            }
        }
        whole
    }
}

/// The members of all circles among `sights`: whoever reaches itself.
fn in_circles(sights: &[BTreeSet<usize>]) -> Vec<usize> {
    let reaches_itself = |start: usize| {
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let mut waiting: Vec<usize> = sights[start].iter().copied().collect();
        while let Some(at) = waiting.pop() {
            if seen.insert(at) {
                waiting.extend(&sights[at]);
            }
        }
        seen.contains(&start)
    };
    (0..sights.len()).filter(|at| reaches_itself(*at)).collect()
}

/// The roots of libraries and programs.
pub(crate) fn is_root(file: &SourceFile) -> bool {
    let path = file.within_package();
    let is_program = |name: &str| name.ends_with("/main.rs") || !name.contains('/');
    path == "src/lib.rs" || path == "src/main.rs" || path.strip_prefix("src/bin/").is_some_and(is_program)
}

#[test]
fn the_modules_of_a_crate_see_each_other_without_circles() {
    let files = rust_files();
    let sources: BTreeMap<&str, &SourceFile> = files.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut found = BTreeSet::new();
    for root in files.iter().filter(|file| is_root(file)) {
        let target = Target::read(&root.path, &sources);
        for sights in [target.sights(), target.sights_of_whole_modules()] {
            let members = in_circles(&sights);
            for member in &members {
                let among = sights[*member].iter().filter(|seen| members.contains(seen));
                let seen: Vec<&str> = among.map(|seen| target.files[*seen].0.as_str()).collect();
                println!("{} sees {}", target.files[*member].0, seen.join(", "));
            }
            found.extend(members.iter().map(|member| target.files[*member].0.clone()));
        }
    }
    only_pending("files in a circle of modules (the output says who sees whom)", &found, pending::CIRCLES);
}

#[test]
fn circles_are_found_through_imports_paths_and_what_is_passed_on() {
    let source = |path: &str, text: &str| SourceFile::of_test(path, text);
    let files = [
        source(
            "src/lib.rs",
            "mod a; mod b; mod c; mod d; pub use a::A; pub use b::B; pub struct Root; pub(crate) mod e { pub struct E; }",
        ),
        // a sees b through what the root passes on, b sees c by a path, c sees d by an import that it renames.
        source(
            "src/a.rs",
            "use crate::{d::{self, *}, B as Other}; use std::fmt; pub struct A; fn f() { d::d(); fmt::f(); }",
        ),
        source("src/b.rs", "pub struct B; fn f() { super::c::C::new(); }"),
        source("src/c.rs", "use super::d::D as E; pub struct C; fn f() { E::new() }"),
        source("src/d/mod.rs", "mod inner; pub use inner::D; pub fn d() { let _: crate::e::E; }"),
        source("src/d/inner.rs", "use super::super::Root; pub struct D;"),
    ];
    let sources: BTreeMap<&str, &SourceFile> = files.iter().map(|file| (file.path.as_str(), file)).collect();
    let target = Target::read("src/lib.rs", &sources);
    let named =
        |at: &usize| target.files[*at].0.trim_start_matches("src/").trim_end_matches(".rs").to_owned();
    let sights: BTreeMap<String, Vec<String>> = target
        .sights()
        .iter()
        .enumerate()
        .map(|(at, seen)| (named(&at), seen.iter().map(named).collect()))
        .collect();
    let expected = [
        ("a", vec!["b", "d/mod"]),
        ("b", vec!["c"]),
        ("c", vec!["d/inner"]),
        ("d/inner", vec!["lib"]),
        ("d/mod", vec!["lib"]),
        ("lib", vec![]),
    ];
    let expected: BTreeMap<String, Vec<String>> = expected
        .into_iter()
        .map(|(a, b)| (a.to_owned(), b.iter().map(ToString::to_string).collect()))
        .collect();
    assert_eq!(sights, expected);

    // c sees a file of d; d as a whole sees no neighbour.
    let whole = target.sights_of_whole_modules();
    let of =
        |file: &str| whole[target.files.iter().position(|(path, _)| path == file).expect("a file")].iter();
    assert_eq!(of("src/c.rs").map(named).collect::<Vec<_>>(), ["d/mod"]);
    assert_eq!(of("src/d/mod.rs").count(), 0);

    let sights = |edges: &[(usize, usize)]| -> Vec<BTreeSet<usize>> {
        (0..5).map(|n| edges.iter().filter(|(from, _)| *from == n).map(|(_, to)| *to).collect()).collect()
    };
    assert_eq!(in_circles(&sights(&[(0, 1), (1, 2), (0, 2), (3, 0)])), [0_usize; 0]);
    assert_eq!(in_circles(&sights(&[(0, 1), (1, 2), (2, 1), (3, 0), (4, 4)])), [1, 2, 4]);
}

#[test]
fn the_tree_of_a_use_gives_each_name_its_path() {
    let code = code_of("a::{b, c::{self, d as e}, f::*}");
    let mut leaves = Vec::new();
    use_tree(&tokens(&code), &[], &mut leaves);
    let got: Vec<(String, String)> = leaves.into_iter().map(|(name, path)| (name, path.join("::"))).collect();
    let expected = [("b", "a::b"), ("c", "a::c"), ("e", "a::c::d"), ("*", "a::f")];
    assert_eq!(got, expected.map(|(name, path)| (name.to_owned(), path.to_owned())));
}
