import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from freeda_svc.segmentation.bilinear import bilinear_samples, resample

lengths = st.integers(1, 40)


@given(source=lengths, target=lengths, aligned=st.booleans())
def test_an_axis_is_resized_as_torch_does(source: int, target: int, aligned: bool) -> None:
    values = torch.rand(1, 2, source, generator=torch.Generator().manual_seed(source))
    resized = resample(values, bilinear_samples(source, target, aligned=aligned), dim=2)
    expected = functional.interpolate(values, size=target, mode="linear", align_corners=aligned)
    torch.testing.assert_close(resized, expected, atol=1e-5, rtol=1e-5)


@given(source=lengths, target=lengths, aligned=st.booleans(), data=st.data())
def test_a_part_read_from_a_cut_source_is_that_part_of_the_whole(
    source: int, target: int, aligned: bool, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, target - 1))
    stop = data.draw(st.integers(start + 1, target))
    values = torch.rand(source, generator=torch.Generator().manual_seed(target))
    samples = bilinear_samples(source, target, aligned=aligned)
    part = samples.part(start, stop)
    first, last = int(part.lower[0]), int(part.upper[-1])
    cut = resample(values[first : last + 1], part.shifted(first), dim=0)
    assert torch.equal(cut, resample(values, samples, dim=0)[start:stop])
