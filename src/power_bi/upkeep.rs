//! What is looked after in a dataset after a deployment: its parameters, its owner, its schedule.

use serde::{Deserialize, Serialize};

use super::call::body;
use super::error::MY_WORKSPACE;
use super::item::Item;
use super::lists::ListBody;
use super::{Place, PowerBi, PowerBiError, Subject};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, RequestKind};

/// A parameter of a dataset (Power Query).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelParameter {
    pub name: String,
    /// `Text`, `Number`, `DateTime`, `Logical`, …
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_required: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggested_values: Option<Vec<String>>,
}

/// A parameter's new value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewValue {
    pub name: String,
    pub new_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpdateBody<'a> {
    update_details: &'a [NewValue],
}

/// When the service refreshes an import model by itself. As a change, what is missing stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefreshSchedule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// `Monday` to `Sunday`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<String>>,
    /// `hh:00` or `hh:30`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Vec<String>>,
    /// A name of Windows, such as `W. Europe Standard Time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_time_zone_id: Option<String>,
    /// The swagger writes it with a capital, the service does not.
    #[serde(alias = "NotifyOption", default, skip_serializing_if = "Option::is_none")]
    pub notify_option: Option<String>,
}

/// The same as it is read, where more may stand beside.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScheduleReply {
    enabled: Option<bool>,
    days: Option<Vec<String>>,
    times: Option<Vec<String>>,
    local_time_zone_id: Option<String>,
    #[serde(alias = "NotifyOption")]
    notify_option: Option<String>,
}

#[derive(Serialize)]
struct ScheduleBody<'a> {
    value: &'a RefreshSchedule,
}

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// Parameters of one request (Microsoft's swagger, `Datasets_UpdateParametersInGroup`).
const MOST_PARAMETERS: usize = 100;

impl RefreshSchedule {
    /// Refuses what the service would refuse, and spells it as it does.
    pub fn check(&mut self) -> Result<(), Failure> {
        let invalid = |place: &str, detail: String| Err(Failure::new(Code::BodyInvalid, detail).at(place));
        if *self == Self::default() {
            return invalid("enabled", "The body changes nothing: send `enabled`, `days` or `times`.".to_owned());
        }
        let off = Self { enabled: Some(false), ..Self::default() };
        if self.enabled == Some(false) && *self != off {
            let detail = "Power BI takes `enabled`: false alone, without any other change.";
            return invalid("enabled", detail.to_owned());
        }
        if self.days.as_ref().is_some_and(Vec::is_empty) {
            return invalid("days", "There is at least one day.".to_owned());
        }
        for day in self.days.iter_mut().flatten() {
            let Some(known) = DAYS.iter().find(|known| known.eq_ignore_ascii_case(day)) else {
                return invalid("days", format!("A day is one of {}; `{day}` is not.", DAYS.join(", ")));
            };
            (*known).clone_into(day);
        }
        if let Some(time) = self.times.iter().flatten().find(|time| !is_half_hour(time)) {
            return invalid("times", format!("A time is hh:00 or hh:30, such as 07:30; `{time}` is not."));
        }
        if let Some(notify) = &mut self.notify_option {
            let known = ["NoNotification", "MailOnFailure"];
            let Some(spelled) = known.iter().find(|known| known.eq_ignore_ascii_case(notify)) else {
                let detail = "`notifyOption` is NoNotification or MailOnFailure; a service principal has the first.";
                return invalid("notifyOption", detail.to_owned());
            };
            (*spelled).clone_into(notify);
        }
        Ok(())
    }
}

fn is_half_hour(time: &str) -> bool {
    let Some((hours, minutes)) = time.split_once(':') else { return false };
    let digits = hours.len() == 2 && hours.bytes().all(|byte| byte.is_ascii_digit());
    digits && hours < "24" && (minutes == "00" || minutes == "30")
}

impl PowerBi {
    pub async fn parameters(
        &self,
        workspace: &str,
        dataset: &str,
        deadline: Deadline,
    ) -> Result<Vec<ModelParameter>, PowerBiError> {
        let (url, subject) = self.of_dataset(workspace, dataset, "parameters")?;
        let body: ListBody<_> = self.ask(RequestKind::PowerBiGet, Outbound::get(url), &subject, deadline).await?;
        Ok(body.value)
    }

    /// Gives parameters other values; those that are not named stay. They count from the next refresh on.
    pub async fn update_parameters(
        &self,
        workspace: &str,
        dataset: &str,
        values: &[NewValue],
        deadline: Deadline,
    ) -> Result<(), PowerBiError> {
        if values.is_empty() || values.len() > MOST_PARAMETERS {
            let detail = format!("One call changes 1 to {MOST_PARAMETERS} parameters; here are {}.", values.len());
            return Err(Failure::new(Code::BodyInvalid, detail).at("parameters").into());
        }
        let (url, subject) = self.owned(workspace, dataset, "Default.UpdateParameters")?;
        let request = Outbound::post(url).json(body(&UpdateBody { update_details: values })?);
        self.call(RequestKind::DatasetUpdate, request, &subject, deadline).await?;
        Ok(())
    }

    /// Makes our identity the owner; taken twice it is the same.
    pub async fn take_over(&self, workspace: &str, dataset: &str, deadline: Deadline) -> Result<(), PowerBiError> {
        if workspace == MY_WORKSPACE {
            let detail = "In My Workspace there is nobody to take a dataset over from.";
            return Err(Failure::new(Code::PowerBiRefused, detail).into());
        }
        let (url, subject) = self.of_dataset(workspace, dataset, "Default.TakeOver")?;
        self.call(RequestKind::DatasetUpdate, Outbound::post(url), &subject, deadline).await?;
        Ok(())
    }

    pub async fn refresh_schedule(
        &self,
        workspace: &str,
        dataset: &str,
        deadline: Deadline,
    ) -> Result<RefreshSchedule, PowerBiError> {
        let (url, subject) = self.of_dataset(workspace, dataset, "refreshSchedule")?;
        let found: ScheduleReply = self.ask(RequestKind::PowerBiGet, Outbound::get(url), &subject, deadline).await?;
        let ScheduleReply { enabled, days, times, local_time_zone_id, notify_option } = found;
        Ok(RefreshSchedule { enabled, days, times, local_time_zone_id, notify_option })
    }

    /// Changes what is there in `schedule`, which has been checked.
    pub async fn update_refresh_schedule(
        &self,
        workspace: &str,
        dataset: &str,
        schedule: &RefreshSchedule,
        deadline: Deadline,
    ) -> Result<(), PowerBiError> {
        let (url, subject) = self.owned(workspace, dataset, "refreshSchedule")?;
        let request = Outbound { method: "PATCH", ..Outbound::get(url) }.json(body(&ScheduleBody { value: schedule })?);
        self.call(RequestKind::DatasetUpdate, request, &subject, deadline).await?;
        Ok(())
    }

    fn of_dataset(&self, workspace: &str, dataset: &str, segment: &str) -> Result<(url::Url, Subject), PowerBiError> {
        let place = Place::of(workspace, dataset)?;
        let url = self.address_in(&place, &[segment])?;
        Ok((url, Subject::Item(Item::Dataset(place))))
    }

    /// The same, of what only its owner may change.
    fn owned(&self, workspace: &str, dataset: &str, segment: &str) -> Result<(url::Url, Subject), PowerBiError> {
        let (url, _) = self.of_dataset(workspace, dataset, segment)?;
        Ok((url, Subject::Item(Item::Owned(Place::of(workspace, dataset)?))))
    }
}
