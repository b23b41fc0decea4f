//! Finds names in the configuration that SuperOps does not have: what is set for them applies to nothing.
//!
//! Names are not checked against a list that was never read. A name close to one that SuperOps has is taken for a typo.

use std::collections::BTreeSet;

use super::reader::nearest;
use super::{Config, Hours, Tenant};
use crate::sla::policy::{Policy, Unknown};
use crate::ticket::{Directory, Site};

/// Lists the names in `policy` that `directory` does not know, in words.
pub fn unknown_in(policy: &Policy, directory: &Directory) -> Vec<String> {
    let line = |unknown: &Unknown<'_>| {
        let hint = meant(unknown.name, &unknown.known);
        format!("SuperOps has no {} `{}`{hint}", unknown.what, unknown.name)
    };
    policy.unknown_names(directory).iter().map(line).collect()
}

/// Suggests the name that was misspelt, or of which only the beginning was given.
fn meant(name: &str, known: &[&str]) -> String {
    let close = nearest(name, known.iter().copied());
    let begins = |known: &&&str| known.to_lowercase().starts_with(&name.to_lowercase());
    match (close.is_empty(), &known.iter().filter(begins).collect::<Vec<_>>()[..]) {
        (true, [only]) => format!("; did you mean `{only}`?"),
        _ => close,
    }
}

/// Lists what the configuration of `tenant` names but SuperOps does not have, one line each.
pub fn unknown(config: &Config, tenant: &Tenant, directory: &Directory) -> Vec<String> {
    let mut lines = Vec::new();
    for (place, policy) in config.policies_of(&tenant.id) {
        let of_policy = unknown_in(policy, directory).into_iter();
        lines.extend(of_policy.map(|why| format!("{}: the policy at {place} matches nothing: {why}", tenant.id)));
    }
    if tenant.hours == Hours::Site {
        lines.extend(holiday_lists(config, tenant, directory));
    }
    lines
}

/// Lists the sites' holiday lists whose dates are not configured; SuperOps does not give them.
fn holiday_lists(config: &Config, tenant: &Tenant, directory: &Directory) -> Vec<String> {
    let list = |site: &Site| site.holiday_list.as_ref().map(|list| list.name.clone());
    let used: BTreeSet<String> = directory.sites.values().filter_map(list).collect();
    let undated = used.iter().filter(|name| !config.holiday_lists.contains_key(*name));
    let line = |name: &String| {
        let hint = nearest(name, config.holiday_lists.keys().map(String::as_str));
        let id = &tenant.id;
        format!(
            "{id}: sites keep the holiday list `{name}`, but there is no [holiday_lists.\"{name}\"] with its dates{hint}"
        )
    };
    undated.map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::GivenEnvironment;
    use crate::ticket::{Client, Named, RefId};

    const CONFIG: &str = "[tenants.acme]\nsubdomain = \"acme\"\nregion = \"us\"\ntoken_env = \"TOKEN\"\nhours = \"site\"\n\
        [notify.email]\nsmtp_url = \"smtp://mail.example.com\"\nfrom = \"sla@example.com\"\n\
        [holiday_lists.\"UK Bank Holiday\"]\ndates = [\"2026-12-25\"]\n\
        [[policies]]\nsla = \"Gold 24x7\"\npriority = \"high\"\nclient = \"Initech\"\nresolution = \"4h\"\n";

    fn named(name: &str) -> Named {
        Named { id: RefId::parse(name).unwrap(), name: name.to_owned() }
    }

    fn account() -> Directory {
        let sla = named("Gold 24/7");
        let client = named("Initech Hosting");
        let site = named("London");
        Directory {
            slas: [(sla.id.clone(), sla)].into(),
            priorities: vec!["High".into()],
            clients: [(client.id.clone(), Client { id: client.id, name: client.name, account_manager: None })].into(),
            sites: [(
                site.id.clone(),
                Site {
                    id: site.id,
                    name: site.name,
                    client: None,
                    timezone: None,
                    always_open: true,
                    hours: Vec::new(),
                    holiday_list: Some(named("UK Bank Holidays")),
                },
            )]
            .into(),
            ..Directory::default()
        }
    }

    fn lines(directory: &Directory) -> Vec<String> {
        let env = GivenEnvironment::default().with_var("TOKEN", "secret");
        let config = Config::parse(Path::new("config.toml"), CONFIG, &env).unwrap();
        unknown(&config, config.tenants.values().next().unwrap(), directory)
    }

    #[test]
    fn a_name_that_superops_does_not_have_is_told_with_the_one_that_was_meant() {
        insta::assert_snapshot!(lines(&account()).join("\n"), @r#"
        acme: the policy at config.toml:11 matches nothing: SuperOps has no SLA `Gold 24x7`; did you mean `Gold 24/7`?
        acme: the policy at config.toml:11 matches nothing: SuperOps has no client `Initech`; did you mean `Initech Hosting`?
        acme: sites keep the holiday list `UK Bank Holidays`, but there is no [holiday_lists."UK Bank Holidays"] with its dates; did you mean `UK Bank Holiday`?
        "#);
    }

    #[test]
    fn what_was_never_read_is_not_held_against_anybody() {
        assert_eq!(lines(&Directory::default()), Vec::<String>::new());
    }
}
