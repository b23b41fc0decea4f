//! Technicians and clients in the order that is asked for, whole or page by page. The next page begins after the last
//! item shown, wherever that stands by then, so that what is decided meanwhile repeats none and skips none.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::clients::{ClientPage, ClientView};
use super::question::TechnicianQuery;
use super::{Complaint, Reach, Service, ServiceError, TechnicianPage, TechnicianView};
use crate::service::described::{AsOfWord, FIGURE_ORDERS, FigureOrderWord};
use crate::service::paging::{cut, last_place};

const MOST: usize = 1000;
const USUAL: usize = 500;

/// The figures of a period, person by person or client by client.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct FigureListQuery {
    pub tenant: Option<String>,
    /// The first local day; a month ago by default.
    #[param(pattern = r"^(\d{4}-\d{2}-\d{2})?$")]
    pub from: Option<String>,
    /// The last local day; today by default.
    #[param(pattern = r"^(\d{4}-\d{2}-\d{2})?$")]
    pub to: Option<String>,
    #[param(inline, value_type = Option<AsOfWord>)]
    pub as_of: Option<String>,
    pub anonymize: Option<bool>,
    pub exclude_maintenance: Option<bool>,
    /// Tenant by tenant, each by name, by default. `total` is the tickets of a technician, the clocks of a client.
    #[param(inline, value_type = Option<FigureOrderWord>)]
    pub sort: Option<String>,
    /// 1 to 1000, 500 by default.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// The order of a list of figures; `-` before its name reverses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FigureOrder {
    word: &'static str,
}

/// An item of a list of figures.
trait Listed {
    fn tenant(&self) -> &str;
    fn id(&self) -> Option<&str>;
    /// None for those that are nobody: they come after all others.
    fn name(&self) -> Option<&str>;
    /// The figure of that name, in thousandths.
    fn figure(&self, name: &str) -> Option<i64>;
}

/// The place of an item in an order. Items without the figure come last, in either direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    none: bool,
    number: i64,
    text: String,
    rest: (bool, String, String, String),
}

impl FigureListQuery {
    /// The question about the figures, without their order.
    pub fn figures(&self) -> TechnicianQuery {
        TechnicianQuery {
            tenant: self.tenant.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            as_of: self.as_of.clone(),
            anonymize: self.anonymize,
            exclude_maintenance: self.exclude_maintenance,
        }
    }

    fn limit(&self) -> Result<usize, ServiceError> {
        match self.limit.unwrap_or(USUAL) {
            limit @ 1..=MOST => Ok(limit),
            limit => {
                Err(ServiceError::BadQuestion(Complaint::of("limit", format!("is {limit}, and must be 1 to {MOST}"))))
            }
        }
    }

    /// Sorts `rows` and cuts out the page of `list` that is asked for; returns where the next one begins.
    fn page<T: Listed>(&self, list: &str, rows: &mut Vec<T>) -> Result<Option<String>, ServiceError> {
        let (order, limit) = (FigureOrder::parse(self.sort.as_deref())?, self.limit()?);
        let list = format!("{list} by {}", order.word);
        let mut placed: Vec<(Place, T)> = rows.drain(..).map(|row| (order.place(&row), row)).collect();
        if let Some(last) = last_place::<Place>(&list, self.cursor.as_deref())? {
            placed.retain(|(place, _)| order.compare(place, &last).is_gt());
        }
        placed.sort_by(|(a, _), (b, _)| order.compare(a, b));
        let next = cut(&list, &mut placed, limit, |(place, _)| place.clone());
        rows.extend(placed.into_iter().map(|(_, row)| row));
        Ok(next)
    }
}

impl FigureOrder {
    /// Reads the order that `text` names; blank: tenant by tenant.
    pub fn parse(text: Option<&str>) -> Result<Self, ServiceError> {
        let text = text.map(str::trim).filter(|text| !text.is_empty()).unwrap_or("tenant");
        let word = FIGURE_ORDERS.into_iter().find(|word| *word == text).ok_or_else(|| {
            let words = FIGURE_ORDERS.join(", ");
            ServiceError::BadQuestion(Complaint::of("sort", format!("is `{text}`, and must be one of {words}")))
        })?;
        Ok(Self { word })
    }

    fn is_turned(self) -> bool {
        self.word.starts_with('-')
    }

    /// What it sorts by, in either direction.
    pub fn by(self) -> &'static str {
        self.word.trim_start_matches('-')
    }

    /// The word for it in `sort`.
    pub fn as_str(self) -> &'static str {
        self.word
    }

    fn place(self, row: &impl Listed) -> Place {
        let name = row.name().map(str::to_lowercase);
        let (none, number, text) = match self.by() {
            "tenant" => (false, 0, row.tenant().to_owned()),
            "name" => (name.is_none(), 0, name.clone().unwrap_or_default()),
            figure => match row.figure(figure) {
                Some(number) => (false, number, String::new()),
                None => (true, 0, String::new()),
            },
        };
        let id = row.id().unwrap_or_default().to_owned();
        Place { none, number, text, rest: (name.is_none(), name.unwrap_or_default(), row.tenant().to_owned(), id) }
    }

    fn compare(self, a: &Place, b: &Place) -> Ordering {
        let (first, second) = if self.is_turned() { (b, a) } else { (a, b) };
        let by_value = (first.number, &first.text).cmp(&(second.number, &second.text));
        a.none.cmp(&b.none).then(by_value).then_with(|| a.rest.cmp(&b.rest))
    }
}

/// Percentages are given to a tenth: thousandths keep them apart.
fn thousandths(percent: Option<f64>) -> Option<i64> {
    percent.map(|percent| (percent * 1000.0).round() as i64)
}

fn whole(count: u64) -> Option<i64> {
    i64::try_from(count).ok()
}

impl Listed for TechnicianView {
    fn tenant(&self) -> &str {
        &self.tenant
    }

    fn id(&self) -> Option<&str> {
        Some(&self.technician_id)
    }

    fn name(&self) -> Option<&str> {
        Some(&*self.technician_name).filter(|_| !self.technician_id.starts_with('@'))
    }

    fn figure(&self, name: &str) -> Option<i64> {
        match name {
            "total" => whole(self.total_tickets),
            "compliance" => thousandths(self.compliance_rate),
            "breaches" => whole(self.breach_count),
            "response" => self.median_response_time,
            "resolution" => self.median_resolution_time,
            _ => None,
        }
    }
}

impl Listed for ClientView {
    fn tenant(&self) -> &str {
        &self.tenant
    }

    fn id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    fn name(&self) -> Option<&str> {
        self.client_name.as_deref()
    }

    fn figure(&self, name: &str) -> Option<i64> {
        match name {
            "total" => whole(self.clocks),
            "compliance" => thousandths(self.compliance_rate),
            "breaches" => whole(self.breaches),
            "response" => self.median_response_time,
            "resolution" => self.median_resolution_time,
            _ => None,
        }
    }
}

impl Service {
    /// What technicians did in a period, in the order that is asked for.
    pub async fn technician_list(
        &self,
        reach: &Reach,
        query: &FigureListQuery,
    ) -> Result<TechnicianPage, ServiceError> {
        let mut page = self.technicians(reach, &query.figures()).await?;
        page.next_cursor = query.page("technicians", &mut page.technicians)?;
        Ok(page)
    }

    /// How well the promises to each client were kept in a period, in the order that is asked for.
    pub async fn client_list(&self, reach: &Reach, query: &FigureListQuery) -> Result<ClientPage, ServiceError> {
        let mut page = self.clients(reach, &query.figures()).await?;
        page.next_cursor = query.page("clients", &mut page.clients)?;
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(&'static str, Option<&'static str>, Option<i64>);

    impl Listed for Row {
        fn tenant(&self) -> &str {
            self.0
        }

        fn id(&self) -> Option<&str> {
            self.1
        }

        fn name(&self) -> Option<&str> {
            self.1
        }

        fn figure(&self, _: &str) -> Option<i64> {
            self.2
        }
    }

    fn rows() -> Vec<Row> {
        vec![
            Row("globex", Some("ann"), Some(7)),
            Row("acme", None, Some(9)),
            Row("acme", Some("Zoe"), None),
            Row("acme", Some("bob"), Some(7)),
            Row("globex", Some("Cid"), Some(-1)),
        ]
    }

    /// Reads page by page, `limit` on each.
    fn listed(sort: &str, limit: usize) -> String {
        let (mut names, mut cursor) = (Vec::new(), None);
        loop {
            let query = FigureListQuery {
                sort: Some(sort.to_owned()),
                limit: Some(limit),
                cursor,
                ..FigureListQuery::default()
            };
            let mut page = rows();
            cursor = query.page("rows", &mut page).unwrap();
            names.extend(page.iter().map(|row| row.1.unwrap_or("nobody")));
            if cursor.is_none() {
                return names.join(" ");
            }
        }
    }

    #[test]
    fn what_has_no_such_figure_stands_last_in_either_direction() {
        for (sort, expected) in [
            ("", "bob Zoe nobody ann Cid"),
            ("-tenant", "ann Cid bob Zoe nobody"),
            ("name", "ann bob Cid Zoe nobody"),
            ("-name", "Zoe Cid bob ann nobody"),
            ("breaches", "Cid ann bob nobody Zoe"),
            ("-breaches", "nobody ann bob Cid Zoe"),
        ] {
            for limit in [1, 2, 5] {
                assert_eq!(listed(sort, limit), expected, "{sort}, {limit} a page");
            }
        }
    }

    #[test]
    fn an_order_nobody_knows_and_a_cursor_of_another_list_are_refused() {
        let query = FigureListQuery { limit: Some(1), ..FigureListQuery::default() };
        let cursor = query.page("technicians", &mut rows()).unwrap();
        assert!(FigureListQuery { cursor: cursor.clone(), ..query.clone() }.page("clients", &mut rows()).is_err());
        let turned = FigureListQuery { cursor, sort: Some("-tenant".to_owned()), ..query };
        assert!(turned.page("technicians", &mut rows()).is_err());
        assert!(FigureOrder::parse(Some("sideways")).unwrap_err().to_string().contains("one of tenant, name"));
        for word in FIGURE_ORDERS {
            assert_eq!(FigureOrder::parse(Some(word)).unwrap().as_str(), word);
        }
    }
}
