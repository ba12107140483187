import pytest

from freeda_svc.annotation_tools import read_label_config
from freeda_svc.errors import InputError
from freeda_svc.outputs import palette
from freeda_svc.outputs.label_studio import label_studio_configuration
from freeda_svc.outputs.mark_controls import MarkKind

SEVERAL = """
<View>
  <Image name="photo" value="$image" freeda_k="100"/>
  <BrushLabels name="areas" toName="photo" freeda_background="wall, floor">
    <Label value="boat|ship" background="#aa0000"/>
    <Label value="Wasser" alias="water|sea" background="#00aa00"/>
    <Label value="Sky" alias="cls_7"/>
  </BrushLabels>
  <RectangleLabels name="boxes" toName="photo">
    <Label value="Boot" predicted_values="boat, ship"/>
    <Label value="person"/>
  </RectangleLabels>
  <PolygonLabels name="elsewhere" toName="other"><Label value="tree"/></PolygonLabels>
  <Choices name="kind" toName="photo"><Choice value="indoors"/></Choices>
</View>
"""


def test_words_labels_and_parameters_of_a_configuration_with_several_controls() -> None:
    [image] = read_label_config(SEVERAL)
    assert (image.name, image.field) == ("photo", "image")
    assert [(category.name, category.texts) for category in image.categories] == [
        ("boat|ship", ("boat", "ship")),
        ("Wasser", ("water", "sea")),
        ("Sky", ("Sky",)),
        ("person", ("person",)),
    ]
    assert image.options == {"k": "100", "background": "wall, floor"}
    areas, boxes = image.controls
    assert (areas.name, areas.image, areas.kind) == ("areas", "photo", MarkKind.BRUSH)
    assert areas.labels == {"boat|ship": "boat|ship", "Wasser": "water|sea", "Sky": "cls_7"}
    # what is looked for by the same words is one category, and each control calls it in its own way
    assert (boxes.kind, boxes.labels) == (MarkKind.RECTANGLE, {"boat|ship": "Boot", "person": "person"})


def test_the_configuration_that_segment_writes_is_read() -> None:
    names = ("boat|ship", "water", "sky & <sea>")
    [image] = read_label_config(label_studio_configuration(names, palette(3)))
    assert [category.name for category in image.categories] == list(names)
    assert image.controls[0].labels == {name: name for name in names}


def test_each_image_has_its_own_labels() -> None:
    text = """<View>
      <Image name="a" value="$left"/><Image name="b" value="$right"/><Image name="c" value="$none"/>
      <BrushLabels name="x" toName="a"><Label value="dog"/></BrushLabels>
      <PolygonLabels name="y" toName="b"><Label value="cat"/></PolygonLabels>
    </View>"""
    found = [(image.field, [category.name for category in image.categories]) for image in read_label_config(text)]
    assert found == [("left", ["dog"]), ("right", ["cat"])]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no XML"),
        ("<View>", "no XML"),
        ("<View/>", "no labels that can be predicted"),
        ('<View><Image name="i" value="$i"/></View>', "no labels that can be predicted"),
        (
            (
                '<View><Image name="i" value="$i"/>'
                '<KeyPointLabels name="k" toName="i"><Label value="a"/></KeyPointLabels></View>'
            ),
            "no labels that can be predicted",
        ),
        (
            (
                '<View><Image name="i" value="i.png"/><BrushLabels name="b" toName="i"><Label value="a"/></BrushLabels>'
                "</View>"
            ),
            "must name the field",
        ),
        ('<!DOCTYPE a [<!ENTITY b "c">]><View/>', "document type"),
        (
            (
                '<View><Image name="i" value="$i" freeda_k="1"/><BrushLabels name="b" toName="i" freeda_k="2">'
                '<Label value="a"/></BrushLabels></View>'
            ),
            "freeda_k is '1' in one place and '2' in another",
        ),
        (
            (
                '<View><Image name="i" value="$i"/><BrushLabels name="b" toName="i"><Label value="a" alias="|"/>'
                "</BrushLabels></View>"
            ),
            "names none",
        ),
        (
            (
                '<View><Image name="i" value="$i"/><BrushLabels name="b" toName="i"><Label value="a"/></BrushLabels>'
                '<PolygonLabels name="p" toName="i"><Label value="a" alias="x|y"/></PolygonLabels></View>'
            ),
            "different words",
        ),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_label_config(text)
