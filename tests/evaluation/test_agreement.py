import pytest

from freeda_svc.encoders.openvino_runtime import computes_bfloat16
from freeda_svc.errors import InputError
from freeda_svc.evaluation import measure_agreement
from freeda_svc.evaluation.agreement import Agreement


def test_float32_by_torch_agrees_with_itself() -> None:
    reports: list[tuple[int, int]] = []
    found = measure_agreement("float32", "torch", 2, lambda done, total: reports.append((done, total)))
    assert found.equal_labels == 1.0
    assert found.points == 0.0
    assert found.mean_iou == found.mean_iou_float32 > 0.3
    assert reports == [(1, 2), (2, 2)]


def test_another_runtime_gives_nearly_the_same_masks() -> None:
    found = measure_agreement("bfloat16" if computes_bfloat16() else "float32", "openvino", 6)
    assert found.equal_labels > 0.99
    assert found.agrees


@pytest.mark.parametrize(("mean_iou", "agrees"), [(0.7471, True), (0.7469, False), (0.7529, True), (0.7531, False)])
def test_three_tenths_of_a_point_are_the_limit(mean_iou: float, agrees: bool) -> None:
    assert Agreement(5, 0.99, mean_iou, 0.75, 1.0, 2.0).agrees is agrees


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(InputError, match="OpenVINO computes on the device cpu in float32 or bfloat16, not on cpu in f"):
        measure_agreement("float16", "openvino", 1)
