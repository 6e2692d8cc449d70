"""Where the drone hangs, where the sun stands, and what the sensor makes of it.

Ground coordinates are metres, ``(x, y)`` with x to the right and y down the picture, (0, 0)
under the middle of the picture. Heights lean away from the nadir point as in a pinhole camera.
"""

import cv2
import numpy as np

OVERSAMPLING = 2


class Camera:
    """A camera `altitude` metres up, and the light of the day.

    Attributes
    ----------
    ppm : float, pixels of the oversampled canvas per metre on the ground
    extent : (width, height) of the picture in metres
    nadir : (x, y) metres, the point right below the drone
    heading : radians, by which streets and houses are turned in the picture
    sun : (x, y), the shadow of one metre of height, in metres
    haze : 0 (sharp shadows) to 1 (overcast, none)
    """

    def __init__(self, rng, size, altitude):
        self.size = size
        self.altitude = altitude
        width = 1.4 * altitude
        self.extent = np.array([width, width * size[0] / size[1]])
        self.shape = (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING)
        self.ppm = self.shape[1] / width
        self.nadir = rng.uniform(-0.25, 0.25, 2) * self.extent
        self.heading = rng.uniform(-np.pi / 4, np.pi / 4)
        azimuth, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.45, 1.5)
        self.toward = np.array([np.cos(azimuth), np.sin(azimuth)])
        self.sun = length * self.toward
        self.haze = float(rng.choice([0.0, 0.15, 0.45, 0.85], p=[0.35, 0.3, 0.2, 0.15]))

    def pixels(self, points, height=0.0):
        """Points on the ground (metres), lifted to `height`, as float pixels ``(n, 2)``."""
        lift = self.altitude / (self.altitude - np.minimum(height, 0.6 * self.altitude))
        lift = np.reshape(lift, (-1, 1))
        seen = self.nadir + (np.asarray(points, float) - self.nadir) * lift
        return seen * self.ppm + np.array(self.shape[::-1]) / 2

    def shadow(self, points, height):
        """Where the shadow of points at `height` falls, in pixels ``(n, 2)``."""
        return self.pixels(np.asarray(points, float) + np.reshape(height, (-1, 1)) * self.sun)

    def spot(self, rng, margin=0.06):
        """A random point of the picture, metres."""
        return rng.uniform(-0.5 + margin, 0.5 - margin, 2) * self.extent

    def edge(self, direction, share):
        """Distance along unit `direction` beyond which `share` of the picture lies, metres."""
        x = (np.arange(48) + 0.5) / 48 - 0.5
        along = x[:, None] * self.extent[0] * direction[0] + x * self.extent[1] * direction[1]
        return float(np.sort(along.ravel())[int((1 - share) * (along.size - 1))])


def develop(rng, camera, albedo, shade):
    """The picture a sensor takes of lit ground: RGB uint8 ``(height, width, 3)``.

    `albedo` is the oversampled float32 canvas, `shade` its uint8 shadow, 255 in full shadow.
    """
    height, width = camera.size
    small = cv2.resize(albedo, (width, height), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(shade, (0, 0), 1.2 + 2.5 * camera.haze)
    soft = cv2.resize(soft, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    depth = 0.72 * (1 - camera.haze)
    light = 1 - soft[..., None] * depth * np.array([1.0, 0.96, 0.86], np.float32)
    light = light * _falloff(rng, camera)
    picture = _contrast(rng, small * light * _exposure(rng, camera))
    blur = max(0.0, rng.normal(0.35, 0.3))
    if blur > 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    grain = rng.standard_normal((height, width, 1), np.float32)
    colour = rng.standard_normal((height, width, 3), np.float32)
    noise = rng.uniform(0.8, 4.5)
    picture = picture + noise * (grain + 0.5 * colour)
    return np.rint(picture).clip(0, 255).astype(np.uint8)


def _exposure(rng, camera):
    """Exposure and white balance, one factor a channel: both wander from flight to flight."""
    gain = np.clip(rng.lognormal(0.0, 0.2), 0.68, 1.45) * (1 - 0.08 * camera.haze)
    warm, green = rng.uniform(-0.1, 0.12), rng.uniform(-0.035, 0.035)
    return np.array([1 + warm, 1 + green, 1 - warm], np.float32) * np.float32(gain)


def _contrast(rng, picture):
    gain, fade = rng.uniform(1.0, 1.35), rng.uniform(-8, 8)
    picture = (picture - 115) * np.float32(gain) + np.float32(115 + fade)
    # Highlights roll off softly instead of burning out.
    return picture - 0.62 * np.maximum(picture - 205, 0) - 0.2 * np.maximum(picture - 260, 0)


def _falloff(rng, camera):
    """Vignetting: a lens darkens its corners."""
    height, width = camera.size
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)
    return (1 - np.float32(rng.uniform(0.03, 0.16)) * (x * x + y * y))[..., None]
