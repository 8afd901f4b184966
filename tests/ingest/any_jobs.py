"""Any jobs of one pet that the doors let in, by Hypothesis."""

from hypothesis import strategies as st

from sploot_clusterd.correcting import OPS

PET = "ann"
NAMES = [f"img-{n}" for n in range(8)]

vectors = st.lists(st.sampled_from([-1.0, 0.1, 0.5, 1.0]), min_size=3, max_size=3) | st.just([1.0, 0.5])
images = st.fixed_dictionaries(
    {"image_id": st.sampled_from(NAMES)},
    optional={
        "embedding": vectors,
        "pose": vectors,
        "quality": st.sampled_from([0.0, 0.4, 1.0]),
        "label": st.sampled_from(["Portraits", "Action"]),
        "captured_at": st.sampled_from(["2025-10-30T12:00:00Z", "2031-01-01T00:00:00Z"]),
    },
)
clusters = st.integers(0, 4).map("ann-cluster-{}".format)
names = st.lists(st.sampled_from(NAMES), max_size=4)


@st.composite
def corrections(draw):
    op = draw(st.sampled_from(OPS))
    some = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    match op:
        case "merge":
            what = {"clusters": draw(st.lists(clusters, min_size=2, max_size=3))}
        case "apart":
            what = {"clusters": draw(st.lists(clusters, min_size=2, max_size=2, unique=True))}
        case "hide" | "unhide":
            what = draw(st.sampled_from([{"cluster": draw(clusters)}, {"image_ids": some}]))
        case "undo":
            what = {"job_id": f"job-{draw(st.integers(0, 6))}"}
        case "split" | "stay" | "not_here":
            what = {"cluster": draw(clusters), "image_ids": some}
        case "move":
            what = {"image_ids": some, "to": draw(clusters)}
        case "rename":
            what = {"cluster": draw(clusters), "label": "Beach"}
        case _:
            what = {"cluster": draw(clusters), "image_id": some[0]}
    return {"op": op, **what}


payloads = st.fixed_dictionaries(
    {},
    optional={
        "images": st.lists(images, max_size=6),
        "image_ids": names,
        "removed_image_ids": names | st.just(NAMES),
        "labels": st.sampled_from([[], ["Portraits", "Action Shots"], ["Sleep"]]),
        "coverage": st.sampled_from([{}, {"portrait": 0.6, "action": 0.4}]),
        "quality_score": st.sampled_from([0.0, 0.85]),
        "model_version": st.sampled_from(["v1", "v2"]),
        "corrections": st.lists(corrections(), max_size=2),
    },
)
jobs = st.fixed_dictionaries(
    {"payload": payloads},
    optional={"job_id": st.integers(0, 6).map(lambda n: f"job-{n}"), "force": st.booleans()},
)
