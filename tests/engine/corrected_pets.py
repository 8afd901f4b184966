"""Pets whose users correct them, by Hypothesis, beside the model of what they said."""

from itertools import combinations

from hypothesis import strategies as st

from sploot_clusterd.correcting import OPS
from sploot_clusterd.engine import JobStatus, Params
from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.model import Apart, Hide, Merge, Move, NotHere, Rename, SetHero, Split, Stay, Unhide, cluster_id
from tests.engine.pet import Pet, direction, insight, job
from tests.engine.said import Said, cells, clusters

NAMES = [f"img-{n}" for n in range(16)]
SETTINGS = [
    Params(max_cells=12, rebuild_least=4, max_cluster_size=3),
    Params(max_cells=40, rebuild_least=2, min_cluster_size=3, join_cosine=0.8, join_threshold=0.3),
    Params(algorithm="average_linkage"),
]

images = st.builds(
    lambda name, group, seed, quality: insight(name, direction(group, 0.3, seed, 12), quality),
    st.sampled_from(NAMES),
    st.integers(0, 3),
    st.integers(0, 2),
    st.none() | st.floats(0, 1),
)
few = st.lists(st.integers(0, 15), min_size=1, max_size=5)
contents = st.fixed_dictionaries(
    {
        "images": st.lists(images, max_size=5),
        "removed": st.lists(st.sampled_from(NAMES), max_size=3),
        "image_ids": st.lists(st.sampled_from(["bare-0", "bare-1", *NAMES]), max_size=2),
        "model_version": st.sampled_from(["m@1", "m@1", "m@2"]),
        "force": st.integers(0, 5).map(lambda n: n == 0),
    }
)
orders = st.tuples(st.sampled_from([op for op in OPS if op != "undo"]), few, few)
histories = st.lists(st.tuples(contents, orders | orders | st.none()), min_size=3, max_size=12)
BEGINNING = job(0, *(insight(name, direction(n % 4, 0.3, n // 4, 12), n / 20) for n, name in enumerate(NAMES[:12])))


def rival_of(key, known, which):
    """Another one, or the same if there is no other."""
    rivals = [each for each in known if each != key]
    return rivals[which % len(rivals)] if rivals else key


def possible(op, *, hidden, every, alone):
    """The op, or another one where there is nothing that it could be said of."""
    if op == "unhide" and not hidden:
        return "hide"
    return "stay" if (op == "not_here" and every) or (op == "apart" and alone) else op


def correction(pet, said, number, order):
    """A correction of what the album has, and how the model learns of it once it is accepted."""
    op, some, others = order
    album, homes = pet.album, clusters(pet)
    known = sorted(key for key in homes if album.clusters[key].number is not None)
    ids = {key: cluster_id("pet_123", album.clusters[key].number) for key in known}
    key, keys = known[some[0] % len(known)], {known[n % len(known)] for n in some}
    inner = {homes[key][n % len(homes[key])] for n in others}
    every = sorted(name for names in homes.values() for name in names)
    anywhere = {every[n % len(every)] for n in others}
    rival = rival_of(key, known, others[0])
    asked = len(others) % 2 == 0 and not inner >= set(homes[key])

    hidden, veiled = sorted(album.hidden), album.clusters[key].anchor in album.veiled
    listed = [name for chunk in album.chunks for name in chunk.images]
    away = inner | ({listed[others[-1] % len(listed)]} if listed else set())
    op = possible(op, hidden=bool(hidden) or veiled, every=inner >= set(homes[key]), alone=rival == key)
    whole = veiled if op == "unhide" else len(some) % 2 == 0 or not hidden

    def learn() -> None:
        token = said.token_of(homes[key])
        match op:
            case "merge":
                said.unite({said.token_of(homes[each]) for each in keys})
            case "split":
                said.move(inner, said.new_token(like=token if inner >= set(homes[key]) else None))
            case "move":
                for each, names in homes.items():
                    if album.clusters[each].shown and anywhere & set(names):
                        said.token_of(names)
                said.move(anywhere, token)
            case "rename":
                said.label[token] = (number, f"label {number}")

    def learn_answer() -> None:
        leaving = anywhere if op == "move" else inner
        left = [each for each in homes if album.clusters[each].shown and leaving & set(homes[each])]
        tokens = {each: said.stand_for(album.clusters[each].hero, homes[each]) for each in (key, *left)}
        said.move(leaving, tokens[key] if op == "move" else said.new_token())

    def learn_hero() -> None:
        said.pins[min(inner)] = number

    made = {
        "merge": lambda: Merge([ids[each] for each in sorted(keys)] * 2),
        "split": lambda: Split(ids[key], sorted(inner), asked=asked),
        "move": lambda: Move(sorted(anywhere), ids[key], asked=asked),
        "rename": lambda: Rename(ids[key], f"label {number}"),
        "set_hero": lambda: SetHero(ids[key], min(inner)),
        "apart": lambda: Apart([ids[key], ids[rival]]),
        "stay": lambda: Stay(ids[key], sorted(inner)),
        "hide": lambda: Hide(ids[key]) if whole else Hide(image_ids=sorted(away)),
        "unhide": lambda: Unhide(ids[key]) if whole else Unhide(image_ids=hidden[: len(some)]),
        "not_here": lambda: NotHere(ids[key], sorted(inner)),
    }[op]()
    answers = {"split": learn_answer, "move": learn_answer} if asked else {}
    return made, {
        **answers,
        "set_hero": learn_hero,
        "apart": lambda: said.keep_apart(homes[key], homes[rival]),
        "hide": lambda: said.veil(homes[key], number, hidden=True) if whole else said.hide(away),
        "unhide": lambda: (
            said.veil(homes[key], number, hidden=False) if whole else said.hidden.difference_update(hidden[: len(some)])
        ),
        "not_here": lambda: said.bar(inner, album.clusters[key].hero, homes[key]),
        "stay": lambda: said.move(inner, said.known(homes[key]) or said.new_token()),
    }.get(op, learn)


def unchecked(pet, said):
    """Asks nothing."""


def told(number, content, **more):
    return job(number, *content["images"], **{k: v for k, v in content.items() if k != "images"}, **more)


def play(history, params, check=unchecked, said=None):
    """Plays jobs and corrections in turn, with a check after each; returns the pet and the jobs."""
    pet, said, jobs = Pet(params), Said() if said is None else said, [BEGINNING]
    pet.apply(BEGINNING)
    check(pet, said)
    for number, (content, order) in enumerate(history, start=1):
        jobs.append(told(2 * number, content))
        pet.apply(jobs[-1])
        said.pins = {name: at for name, at in said.pins.items() if name not in content["removed"]}
        said.hidden -= set(content["removed"])
        said.keep(pet)
        check(pet, said)
        if order is None or all(cluster.number is None for cluster in pet.album.clusters.values()):
            continue
        made, learn = correction(pet, said, number, order)
        jobs.append(job(2 * number + 1, corrections=[made], force=content["force"]))
        (outcome,) = pet.apply(jobs[-1]).outcomes
        if outcome.status is JobStatus.APPLIED:
            learn()
        else:
            assert outcome.error.reason == "invalid", outcome.error  # more anchors than are kept
        said.keep(pet)
        check(pet, said)
    return pet, jobs


def holds(pet, said):
    """What users said shows."""
    homes = {name: key for key, names in clusters(pet).items() for name in names}
    spaces = {name: pet.album.clusters[homes[name]].space for name in homes}
    for one, other in combinations(said.token, 2):
        if spaces[one] == spaces[other]:
            assert (homes[one] == homes[other]) == (said.token[one] == said.token[other])
    for name, tokens in said.barred.items():
        own = [other for other in said.token if said.token[other] in tokens and spaces[other] == spaces[name]]
        assert all(homes[other] != homes[name] for other in own), f"{name} is where it does not belong"
    shown = {cluster["id"]: cluster for cluster in pet.clusters}
    counts_what_is_hidden(pet, said)
    for name, key in homes.items():
        cluster = pet.album.clusters[key]
        if not cluster.shown:
            assert name not in said.token
            continue
        veiled = said.veiled.get(said.known([other for other, its in homes.items() if its == key]), (0, False))[1]
        assert (cluster_id("pet_123", cluster.number) not in shown) == veiled
        if veiled:
            continue
        seen = shown[cluster_id("pet_123", cluster.number)]
        pinned = [other for other in said.pins if homes[other] == key]
        if pinned:
            assert seen["hero_image_id"] == max(pinned, key=said.pins.__getitem__)
        assert seen["hero_image_id"] in [member["image_id"] for member in seen["members"]]
        if said.token.get(name) in said.label:
            assert seen["label"] == said.label[said.token[name]][1]


def counts_what_is_hidden(pet, said):
    """Hidden images are in no cluster, nor on the list of those without vectors; of all each is counted once."""
    listed = [name for chunk in pet.album.chunks for name in chunk.images]
    rows = {name: decode_row(raw) for name, raw in pet.rows().items()}
    there = {name for name, row in rows.items() if row.exists}
    assert said.hidden & there <= pet.album.hidden.keys() <= there
    assert sorted([*cells(pet), *listed, *pet.album.hidden]) == sorted(there)
    bare = {name for name in pet.album.hidden if rows[name].vectors is None}
    assert bare == {name for name, place in pet.album.hidden.items() if place.turn is not None}
    assert {place.space for name, place in pet.album.hidden.items() if name not in bare} == {
        rows[name].vectors.space for name in pet.album.hidden.keys() - bare
    }
    assert pet.view["metrics"]["num_images"] == len(there)
    assert pet.album.num_vector_images == sum(rows[name].vectors is not None for name in there)
