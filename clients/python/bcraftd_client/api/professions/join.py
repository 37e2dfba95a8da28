from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.joined_profession import JoinedProfession
from ...models.problem import Problem
from typing import cast


def _get_kwargs(
    profession_id: int,
) -> dict[str, Any]:

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/professions/{profession_id}/join".format(
            profession_id=quote(str(profession_id), safe=""),
        ),
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> JoinedProfession | Problem | None:
    if response.status_code == 200:
        response_200 = JoinedProfession.from_dict(response.json())

        return response_200

    if response.status_code == 201:
        response_201 = JoinedProfession.from_dict(response.json())

        return response_201

    if response.status_code == 400:
        response_400 = Problem.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = Problem.from_dict(response.json())

        return response_401

    if response.status_code == 404:
        response_404 = Problem.from_dict(response.json())

        return response_404

    if response.status_code == 406:
        response_406 = Problem.from_dict(response.json())

        return response_406

    if response.status_code == 409:
        response_409 = Problem.from_dict(response.json())

        return response_409

    if response.status_code == 413:
        response_413 = Problem.from_dict(response.json())

        return response_413

    if response.status_code == 415:
        response_415 = Problem.from_dict(response.json())

        return response_415

    if response.status_code == 429:
        response_429 = Problem.from_dict(response.json())

        return response_429

    if response.status_code == 500:
        response_500 = Problem.from_dict(response.json())

        return response_500

    if response.status_code == 503:
        response_503 = Problem.from_dict(response.json())

        return response_503

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[JoinedProfession | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    profession_id: int,
    *,
    client: AuthenticatedClient,
) -> Response[JoinedProfession | Problem]:
    """Joins a profession; joined already, 200 and the same

     Joins a profession; joined already, 200 and the same.

    Args:
        profession_id (int):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[JoinedProfession | Problem]
    """

    kwargs = _get_kwargs(
        profession_id=profession_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    profession_id: int,
    *,
    client: AuthenticatedClient,
) -> JoinedProfession | Problem | None:
    """Joins a profession; joined already, 200 and the same

     Joins a profession; joined already, 200 and the same.

    Args:
        profession_id (int):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        JoinedProfession | Problem
    """

    return sync_detailed(
        profession_id=profession_id,
        client=client,
    ).parsed


async def asyncio_detailed(
    profession_id: int,
    *,
    client: AuthenticatedClient,
) -> Response[JoinedProfession | Problem]:
    """Joins a profession; joined already, 200 and the same

     Joins a profession; joined already, 200 and the same.

    Args:
        profession_id (int):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[JoinedProfession | Problem]
    """

    kwargs = _get_kwargs(
        profession_id=profession_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    profession_id: int,
    *,
    client: AuthenticatedClient,
) -> JoinedProfession | Problem | None:
    """Joins a profession; joined already, 200 and the same

     Joins a profession; joined already, 200 and the same.

    Args:
        profession_id (int):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        JoinedProfession | Problem
    """

    return (
        await asyncio_detailed(
            profession_id=profession_id,
            client=client,
        )
    ).parsed
