"""Effects from raw parameters, worked by hand: where the prior file centres them, and what procedures share."""

import numpy as np
import pytest
from worlds import AS_OF, load_record, load_specification

from forecast.exposure import build_exposure
from forecast.files import InputError
from forecast.observations import observe
from forecast.parameters import constants, coordinates, draw_prior, effects, parameters
from forecast.specification import Specification
from forecast.vocabulary import AUTHORITY_CLASSES, FAMILIES


@pytest.fixture(scope="module")
def evidence():
    spec = load_specification()
    return spec, build_exposure(load_record(), spec, AS_OF), observe(load_record(), spec, AS_OF)


def effects_of(spec, evidence, **values):
    _, x, o = evidence
    table = parameters(spec, coordinates(x, o))
    raw = {name: np.zeros_like(v) for name, v in draw_prior(table, 1, np.random.default_rng(0)).items()}
    return effects(raw | {name: np.asarray(v, float)[None] for name, v in values.items()}, constants(spec, x))


def test_steps_centre_stage_and_phase(evidence):
    """Scores of zero leave the stated multipliers alone; a family that is not named has none."""
    found = effects_of(evidence[0], evidence)
    stage, phase = np.exp(found["stage"][0]), np.exp(found["phase"][0])
    expected_stage, expected_phase = np.ones((len(FAMILIES), 2)), np.ones((len(FAMILIES), 2))
    expected_stage[FAMILIES.index("fine"), 0] = 4
    expected_stage[FAMILIES.index("commitments"), 0] = 2
    expected_phase[FAMILIES.index("fine")] = 3
    assert stage == pytest.approx(expected_stage)
    assert phase == pytest.approx(expected_phase)


def test_a_score_moves_an_effect_around_its_centre(evidence):
    score = np.zeros((len(FAMILIES), 2))
    score[FAMILIES.index("fine"), 0] = -1.5
    found = effects_of(evidence[0], evidence, stage_score=score, log_scale=np.log([1, 0.4, 1, 1, 1]))
    assert found["stage"][0, FAMILIES.index("fine"), 0] == pytest.approx(np.log(4) - 0.6)


def test_procedures_lie_half_a_step_to_either_side_of_the_rate(evidence):
    """Criminal classes gain half of ``scale * score``, all others lose it; a class's own effect comes on top."""
    score, own = np.zeros(len(FAMILIES)), np.zeros((len(AUTHORITY_CLASSES), len(FAMILIES)))
    search, criminal = FAMILIES.index("search"), AUTHORITY_CLASSES.index("criminal")
    score[search], own[criminal, search] = 0.8, 0.5
    log_scale = np.log([1, 1, 0.2, 1, 2.0])
    found = effects_of(evidence[0], evidence, procedure_score=score, authority_score=own, log_scale=log_scale)
    expected = np.zeros((len(AUTHORITY_CLASSES), len(FAMILIES)))
    for commission in ("commission_dsa", "commission_dma"):
        expected[AUTHORITY_CLASSES.index(commission), FAMILIES.index("findings")] = np.log(3)
    expected[:, search] = -0.8
    expected[criminal, search] = 0.8 + 0.1
    assert found["authority"][0] == pytest.approx(expected)


def test_steps_may_be_left_out_but_not_misspelt():
    data = load_specification().model_dump()
    del data["hazards"]["steps"]
    assert Specification.model_validate(data).hazards.steps.after_findings == {}
    data["hazards"]["steps"] = {"after_findings": {"fines": data["hazards"]["weights_sd"] | {"unit": "multiplier"}}}
    with pytest.raises(ValueError, match="fine"):
        Specification.model_validate(data)


def test_unit_of_a_step_is_checked():
    data = load_specification().model_dump()
    data["hazards"]["steps"]["after_findings"]["fine"]["unit"] = "per month"
    with pytest.raises((ValueError, InputError), match="multiplier"):
        Specification.model_validate(data)
