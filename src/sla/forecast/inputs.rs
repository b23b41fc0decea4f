//! The inputs of a forecast: the numbers known about an open clock, their order, and their weights before any fit.

/// The plain numbers, in the order of an observation.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "most stand only for their place in the list")]
pub(super) enum Number {
    Share,
    ShareSquared,
    Usual,
    Target,
    RoundTheClock,
    Silence,
    SilentShare,
    StateAge,
    Events,
    Reassignments,
    Reopened,
    HasTechnician,
    Paused,
    Pauses,
    Age,
    AheadInGroup,
    AheadOfTechnician,
    OpenInGroup,
    OpenOfTechnician,
    OpenInAll,
    GroupDay,
    GroupWeek,
    AllDay,
    AllWeek,
    TechnicianWeek,
    GroupBacklog,
    TechnicianBacklog,
    AheadBacklog,
    DueHourSin,
    DueHourCos,
    HourSin,
    HourCos,
    TimeToDue,
    OpenedHour,
}

pub(super) const NUMBERS: usize = Number::OpenedHour as usize + 1;

/// The families of rates, in the order of the keys of the traits.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "most stand only for their place in the list")]
pub(super) enum Family {
    Group,
    CategoryInGroup,
    Category,
    Subcategory,
    Symptom,
    Location,
    Client,
    OpenedBy,
    Technician,
    By,
    StateAndSilence,
    StateAndBefore,
    GroupAndState,
    Reassignments,
    UrgencyAndImpact,
    DueTime,
    StateAndEvents,
    SubcategoryInGroup,
    TechnicianAndState,
    OpenedTime,
}

pub(super) const FAMILIES: usize = Family::OpenedTime as usize + 1;

/// How many recent paces are inputs: those of the tenant, the group, the technician and the category in the group.
pub(super) const PACES: usize = 4;

/// How many inputs there are.
pub(super) const INPUTS: usize = NUMBERS + FAMILIES + PACES;

/// How much the survival curve counts before any fit: half, as a desk's swing over three weeks often swings back.
const USUAL_COUNTS: f32 = 0.5;
/// How much each name's effect counts before any fit: the families overlap, so in full they would repeat each other.
const EFFECT_COUNTS: f32 = 0.1;

/// The weight of each input before any fit. A fit learns the difference from it, so that a name that never made a
/// difference counts from the day it does.
pub(super) const PRIOR: [f32; INPUTS] = {
    let mut weights = [0.0; INPUTS];
    weights[Number::Usual as usize] = USUAL_COUNTS;
    let mut effect = NUMBERS;
    while effect < NUMBERS + FAMILIES {
        weights[effect] = EFFECT_COUNTS;
        effect += 1;
    }
    weights
};

/// Returns the log-odds by [`PRIOR`].
pub(super) fn prior(inputs: &[f32; INPUTS]) -> f32 {
    inputs.iter().zip(PRIOR).map(|(input, weight)| input * weight).sum()
}

/// Returns the place of the effect of `family` among the inputs.
pub(super) const fn effect_input(family: Family) -> usize {
    NUMBERS + family as usize
}
