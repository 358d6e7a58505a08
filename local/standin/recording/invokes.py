"""Data sources: answers that a program can go on with, invented where AWS would be asked."""

import json
import secrets as randomness
from collections.abc import Callable
from typing import Any

from local.standin.recording.identity import Account
from local.standin.wire import Properties, Secret, plain

Answer = Callable[[Properties, Account], Properties]


def _caller_identity(_: Properties, account: Account) -> Properties:
    role = f"arn:{account.partition}:sts::{account.number}:assumed-role/recorded/session"
    return {
        "id": account.number,
        "accountId": account.number,
        "arn": role,
        "userId": "AROARECORDED",
    }


def _region(arguments: Properties, account: Account) -> Properties:
    region = str(arguments.get("region") or arguments.get("name") or account.region)
    endpoint = f"ec2.{region}.{account.suffix}"
    texts = {"id": region, "name": region, "region": region}
    return texts | {"endpoint": endpoint, "description": f"recorded ({region})"}


def _partition(_: Properties, account: Account) -> Properties:
    reverse = ".".join(reversed(account.suffix.split(".")))
    return {
        "id": account.partition,
        "partition": account.partition,
        "dnsSuffix": account.suffix,
        "reverseDnsPrefix": reverse,
    }


def _availability_zones(_: Properties, account: Account) -> Properties:
    letters = "abc"
    zones = [f"{account.region}{letter}" for letter in letters]
    ids = [f"{account.region.replace('-', '')}-az{n}" for n in range(1, len(letters) + 1)]
    return {"id": account.region, "names": zones, "zoneIds": ids, "groupNames": [account.region]}


def _policy_document(arguments: Properties, _: Account) -> Properties:
    statements = [_statement(s) for s in arguments.get("statements") or []]
    document: Properties = {"Version": str(arguments.get("version") or "2012-10-17")}
    if policy_id := arguments.get("policyId"):
        document["Id"] = policy_id
    text = json.dumps(document | {"Statement": statements}, indent=2)
    return {"id": "recorded", "json": text, "minifiedJson": json.dumps(json.loads(text))}


def _statement(given: Properties) -> Properties:
    made: Properties = {"Effect": given.get("effect") or "Allow"}
    if sid := given.get("sid"):
        made["Sid"] = sid
    lists = {
        "Action": "actions",
        "NotAction": "notActions",
        "Resource": "resources",
        "NotResource": "notResources",
    }
    for name, key in lists.items():
        if values := given.get(key):
            made[name] = values[0] if len(values) == 1 else values
    for name, key in {"Principal": "principals", "NotPrincipal": "notPrincipals"}.items():
        if principals := given.get(key):
            made[name] = {p["type"]: _one_or_many(p["identifiers"]) for p in principals}
    conditions: dict[str, dict[str, Any]] = {}
    for condition in given.get("conditions") or []:
        test = conditions.setdefault(condition["test"], {})
        test[condition["variable"]] = _one_or_many(condition["values"])
    return made | ({"Condition": conditions} if conditions else {})


def _one_or_many(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _parameter(arguments: Properties, account: Account) -> Properties:
    name = str(arguments.get("name"))
    prefix = f"arn:{account.partition}:ssm:{account.region}:{account.number}:parameter"
    arn = f"{prefix}/{name.lstrip('/')}"
    value = Secret(f"recorded:{name}")
    return {"id": name, "name": name, "arn": arn, "type": "String", "value": value, "version": 1}


def _secret_version(arguments: Properties, account: Account) -> Properties:
    given = str(arguments.get("secretId"))
    prefix = f"arn:{account.partition}:secretsmanager:{account.region}:{account.number}:secret:"
    arn = given if given.startswith("arn:") else f"{prefix}{given}-recorded"
    # Long enough for what asks for a password of a least length.
    text = Secret(f"recorded-secret-of-{given.replace('/', '-')}")
    return {
        "id": given,
        "secretId": given,
        "arn": arn,
        "secretString": text,
        "versionId": "recorded",
    }


def _secret(arguments: Properties, account: Account) -> Properties:
    name = str(arguments.get("name") or arguments.get("arn"))
    prefix = f"arn:{account.partition}:secretsmanager:{account.region}:{account.number}:secret:"
    return {"id": f"{prefix}{name}-record", "arn": f"{prefix}{name}-record", "name": name}


def _registry_token(_: Properties, account: Account) -> Properties:
    """Another password each time, as ECR gives it."""
    host = f"{account.number}.dkr.ecr.{account.region}.{account.suffix}"
    password = Secret(f"recorded-{randomness.token_hex(8)}")
    return {
        "id": account.region,
        "proxyEndpoint": f"https://{host}",
        "userName": "AWS",
        "password": password,
        "authorizationToken": password,
        "expiresAt": "2030-01-01T00:00:00Z",
    }


def _ami(_: Properties, account: Account) -> Properties:
    image = "ami-0recorded00000000"
    arn = f"arn:{account.partition}:ec2:{account.region}::image/{image}"
    return {"id": image, "imageId": image, "name": "recorded", "arn": arn, "architecture": "x86_64"}


def _addon_version(arguments: Properties, _: Account) -> Properties:
    name = str(arguments.get("addonName"))
    return {"id": name, "addonName": name, "version": "v0.0.0-recorded"}


ANSWERS: dict[str, Answer] = {
    "aws:ec2/getAmi:getAmi": _ami,
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": _registry_token,
    "aws:eks/getAddonVersion:getAddonVersion": _addon_version,
    "aws:iam/getPolicyDocument:getPolicyDocument": _policy_document,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _availability_zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
    "aws:secretsmanager/getSecret:getSecret": _secret,
    "aws:secretsmanager/getSecretVersion:getSecretVersion": _secret_version,
    "aws:ssm/getParameter:getParameter": _parameter,
}


def answer(token: str, arguments: Properties, account: Account) -> Properties:
    """Raises KeyError for a function that nobody has invented an answer for."""
    made = ANSWERS[token](plain(arguments), account)
    return {key: value for key, value in arguments.items() if key not in made} | made
