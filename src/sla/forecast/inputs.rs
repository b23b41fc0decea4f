//! What a forecast looks at: which numbers it knows of an open clock, in which places, and what each counts before any fit.

/// Plain numbers, in the order in which an observation gives them.
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

/// The families of rates, in the order of the keys of its traits.
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

/// How the first families do at each step of a clock lately.
pub(super) const PACES: usize = 4;

/// How many inputs there are.
pub(super) const INPUTS: usize = NUMBERS + FAMILIES + PACES;

/// How far the survival curve is taken at its word before any fit: a desk's mood of three weeks swings back as often as not.
const USUAL_COUNTS: f32 = 0.5;
/// How much of each name's effect is: the families overlap, so in full they would say the same thing many times.
const EFFECT_COUNTS: f32 = 0.1;

/// What counts before any fit, as a weight for each input. A fit learns what differs from it, so that names which never
/// told anything apart are heeded from the day they do.
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

/// The log-odds by [`PRIOR`].
pub(super) fn prior(inputs: &[f32; INPUTS]) -> f32 {
    inputs.iter().zip(PRIOR).map(|(input, weight)| input * weight).sum()
}

/// Where the effect of `family` is among the inputs.
pub(super) const fn effect_input(family: Family) -> usize {
    NUMBERS + family as usize
}
