"""The MQTT link: paho, wrapped once, for devices and the aggregator alike."""

from __future__ import annotations

from shared.mqtt.address import BrokerAddress
from shared.mqtt.backlog import Backlog
from shared.mqtt.backoff import Backoff
from shared.mqtt.link import MqttLink
from shared.mqtt.message import Message, Will
from shared.mqtt.outbox import OutboxBounds
from shared.mqtt.silence import Silence

__all__ = ["Backlog", "Backoff", "BrokerAddress", "Message", "MqttLink", "OutboxBounds", "Silence", "Will"]
