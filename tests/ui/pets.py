"""Made-up pets whose photos fall into clusters that anybody can tell."""

import numpy as np

LABELS = ("Portraits", "At the beach", "Asleep", "With a ball", "In the snow")
DAY = "2025-10-%02dT12:00:00Z"


def rex(sizes: tuple[int, ...] = (34, 18, 12, 9, 7), dimension: int = 24) -> list[dict]:
    """Images of as many looks, with a few of none."""
    draw = np.random.default_rng(7)
    images = []
    for look, (label, size) in enumerate(zip(LABELS, sizes, strict=False)):
        centre = np.zeros(dimension)
        centre[look * 4] = 1.0
        for n in range(size):
            vector = centre + draw.normal(0, 0.07 + 0.003 * n, dimension)
            images.append(image(f"rex_{look}{n:02d}", vector, label, float(draw.uniform(0.4, 1.0)), n))
    images += [image(f"rex_odd{n}", draw.normal(0, 1, dimension), None, 0.5, n) for n in range(5)]
    return images


def image(image_id: str, vector: np.ndarray, label: str | None, quality: float, n: int) -> dict:
    made = {"image_id": image_id, "embedding": [round(float(each), 5) for each in vector], "quality": round(quality, 3)}
    return made | {"captured_at": DAY % (1 + n % 28)} | ({"label": label} if label else {})


def job_of(pet_id: str, images: list[dict], **payload: object) -> dict:
    return {"pet_id": pet_id, "reason": "insights_ready", "payload": {"images": images, **payload}}
