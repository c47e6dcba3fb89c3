import papermill
import pytest
import yaml
from click.testing import CliRunner
from papermill import cli

from megalib.book import notebook, parameters, profiles
from megalib.data import published
from megalib.errors import UserError
from megalib.files.places import NOTEBOOKS, PROFILES
from megalib.flavours import BASELINES, MEGADESCRIPTORS, POCKET, SIFT

NAMES = list(parameters.notebooks())


def test_the_notebooks_are_found_in_their_order():
    assert [
        *("0_datasets", "0_try", "1_prepare", "2_flavours", "2_train", "3_infer", "3_sift"),
        *("4_days", "4_errors", "4_field", "4_new_animals", "4_published", "4_results"),
        *("4_sensitivity", "4_truth"),
        *("5_own_data", "6_colophon"),
        *("w0_setup", "w1_data", "w2_train", "w3_match", "w4_identify"),
    ] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_papermill_reads_the_same_parameters_with_type_and_help(name):
    found = papermill.inspect_notebook(str(parameters.notebooks()[name]))
    declared = parameters.declared(name)
    assert list(found) == list(declared)
    for parameter, facts in found.items():
        assert facts["inferred_type_name"] in {"str", "int", "float", "bool", "list", "dict"}, (
            parameter
        )
        assert len(facts["help"]) > 10, parameter


@pytest.mark.parametrize("name", NAMES)
def test_help_notebook_is_the_manual(name):
    path = str(parameters.notebooks()[name])
    result = CliRunner().invoke(cli.papermill, ["--help-notebook", path])
    assert result.exit_code == 0
    for parameter in parameters.declared(name):
        assert parameter in result.output


def test_the_same_parameter_means_the_same_in_every_notebook():
    known = parameters.known()
    for name in NAMES:
        for parameter, default in parameters.declared(name).items():
            other = {("5_own_data", "weights"): "auto"}
            assert other.get((name, parameter), known[parameter]) == default, (name, parameter)


def test_the_demo_profile_is_what_the_notebooks_do_by_default():
    profile = yaml.safe_load((PROFILES / "demo.yaml").read_text())
    known = parameters.known()
    assert {key: known[key] for key in profile} == profile


@pytest.mark.parametrize("name", ["demo", "lions"])
def test_profiles_for_a_processor_train_the_pocket_networks_from_imagenet(name):
    profile = profiles.read(name)
    assert profile["flavours"] == list(POCKET)
    assert profile["start"] == "imagenet"


def test_the_paper_profile_is_all_datasets_and_flavours_at_published_scale():
    profile = profiles.read("paper")
    assert profile["datasets"] == list(published.datasets().index)
    assert len(profile["datasets"]) == 29
    assert profile["flavours"] == list(MEGADESCRIPTORS)
    assert profile["baselines"] == [*BASELINES, SIFT]
    recipe = {"epochs", "batch_size", "accumulation_steps", "learning_rate"}
    assert not recipe & set(profile), "published hyper-parameters must not be overridden"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"flavor": "x"}, "unknown parameter 'flavor': did you mean 'flavour'?"),
        ({"epoch": 3}, "did you mean 'epochs'?"),
        ({"flavour": "MegaDescriptor-T-223"}, "did you mean 'MegaDescriptor-T-224'?"),
        ({"flavours": ["MegaDescriptor-X"]}, "unknown flavour 'MegaDescriptor-X'"),
        ({"dataset": "LionsData"}, "did you mean 'LionData'?"),
        ({"datasets": ["demozebra"]}, "did you mean 'DemoZebra'?"),
        ({"flavour": "pocket-L224"}, "did you mean 'pocket-L-224'?"),
        ({"scale": "pocket"}, "unknown parameter 'scale'"),
        ({"seed": "one"}, "parameter seed must be of type int, not 'one'"),
        ({"datasets": "LionData"}, "parameter datasets must be of type list"),
        ({"compare_untrained": 1}, "must be of type bool"),
        ({"metadata_source": "publisched"}, "did you mean 'published'?"),
        ({"dataset": "Owl", "own": {"Owls": "owls"}}, "did you mean 'Owls'?"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(values, message):
    with pytest.raises(UserError) as caught:
        parameters.check(values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_own_pictures_may_be_named_before_and_after_they_are_prepared(run):
    parameters.check({"datasets": ["Owls", "LionData"], "own": {"Owls": "owls"}})
    with pytest.raises(UserError, match="unknown dataset 'Owls'"):
        parameters.check({"profile": run.profile, "datasets": ["Owls"]})
    run.metadata("Owls").parent.mkdir(parents=True)
    run.metadata("Owls").touch()
    parameters.check({"profile": run.profile, "datasets": ["Owls"]})


def test_a_whole_number_will_do_for_a_float():
    assert parameters.check({"triplet_margin": 1}) == {"triplet_margin": 1}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, "ten") for name in ("epochs", "batch_size", "accumulation_steps")],
        *[(name, "1e-4x") for name in ("learning_rate", "triplet_margin")],
        *[(name, 2.5) for name in ("checkpoint_every", "validate_every", "epochs")],
        *[("loss", 3), ("accumulation", ["mean"]), ("epochs", True)],
    ],
)
def test_a_parameter_without_a_default_has_a_type_all_the_same(name, value):
    with pytest.raises(UserError, match=f"parameter {name} must be of type .*, not"):
        parameters.check({name: value})
    assert parameters.check({name: None}) == {name: None}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number"),
        ({"learning_rate": "inf"}, "learning_rate must be a finite number"),
        ({"seed": -1}, "seed must be from 0 to 4294967295, not -1"),
        ({"workers": -2}, "workers must be from 0 to 256"),
    ],
)
def test_numbers_that_no_run_can_have_are_refused(values, message):
    with pytest.raises(UserError, match=message):
        parameters.check(values)


def test_a_float_that_yaml_takes_for_text_becomes_a_number(tmp_path):
    (tmp_path / "mine.yaml").write_text("learning_rate: 1e-4\n")
    profile = profiles.read(str(tmp_path / "mine.yaml"))
    assert profile == {"profile": "mine", "learning_rate": 0.0001}
    assert parameters.for_notebook("2_train", {"learning_rate": "1e-4"}) == {"learning_rate": 1e-4}
    variables = parameters.declared("2_train") | {"learning_rate": "1e-4", "In": []}
    notebook.start("2_train", variables)
    assert variables["learning_rate"] == 0.0001


def test_a_profile_sets_each_notebook_only_its_own_parameters():
    merged = parameters.for_notebook("1_prepare", {"seed": 3, "dataset": "LionData"}, {"raw": "x"})
    assert merged == {"dataset": "LionData", "raw": "x"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("absent.yaml", None, "cannot read the profile"),
        ("list.yaml", "- 1\n", "must hold lines of"),
        ("broken.yaml", "a: [1\n", "no valid YAML"),
        ("unknown.yaml", "flavor: x\n", "did you mean 'flavour'?"),
    ],
)
def test_a_bad_profile_is_named(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        profiles.read(str(tmp_path / name))


def test_an_unknown_profile_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'lions'"):
        profiles.read("lion")


def test_a_notebook_refuses_what_papermill_injected_by_mistake():
    variables = parameters.declared("2_train") | {
        "In": ["", 'profile: str = "demo"', '# Parameters\nflavor = "MegaDescriptor-T-224"\n']
    }
    with pytest.raises(UserError, match="did you mean 'flavour'"):
        notebook.start("2_train", variables)


def test_a_notebook_takes_parameters_of_other_notebooks_from_a_profile():
    variables = parameters.declared("1_prepare") | {"In": ["", "# Parameters\nseed = 3\n"]}
    assert notebook.start("1_prepare", variables).profile == "demo"


def test_a_notebook_checks_values_typed_into_its_parameter_cell():
    variables = parameters.declared("2_train") | {"flavour": "MegaDescriptor-T", "In": []}
    with pytest.raises(UserError, match="MegaDescriptor-T-224"):
        notebook.start("2_train", variables)


def test_notebooks_are_stored_without_outputs():
    import nbformat

    for path in NOTEBOOKS.rglob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                assert not cell.outputs, path
                assert cell.execution_count is None, path
