//! After a run: every seat and every open order must be what the answers said.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::client::{Client, unexpected};
use super::world::{SECTIONS, World, section_name};
use super::{Error, Workload};
use crate::demo::messages::{Order as OrderDocument, SeatMap};
use crate::http_client::Request;

const DEADLINE: Duration = Duration::from_secs(30);
/// A release is answered when its home has decided it; the seat's own shard hears it a moment
/// later.
const PATIENCE: Duration = Duration::from_secs(10);

/// Checks everything; how many seats are taken.
pub(super) async fn verify(clients: &mut [Client], world: &World) -> Result<usize, Error> {
    let doubles = world.state().doubles;
    let start = Instant::now();
    let wrong = loop {
        let wrong = wrong_seats(clients, world).await?;
        if wrong == 0 || start.elapsed() > PATIENCE {
            break wrong;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let orders = wrong_orders(clients, world).await?;
    if doubles + wrong + orders > 0 {
        return Err(Error::Wrong {
            doubles,
            wrong,
            orders,
        });
    }
    let held = world.state().taken.iter().filter(|&&taken| taken).count();
    Ok(held)
}

async fn wrong_seats(clients: &mut [Client], world: &World) -> Result<u64, Error> {
    let path = format!(
        "/api/v1/events/{}/seats?consistency=linearizable",
        world.event.id
    );
    let map: SeatMap = get(&mut clients[0], &path, "the seat map").await?;
    let taken_letter = match world.workload {
        Workload::Hold => b'H',
        Workload::Flow => b'S',
    };
    let state = world.state();
    let mut wrong = 0;
    for number in 0..SECTIONS {
        let name = section_name(number);
        let states = map.sections.iter().find(|section| section.name == name);
        let states = states
            .and_then(|section| section.states.as_deref())
            .unwrap_or_default();
        let width = state.taken.len() / SECTIONS as usize;
        let expected = &state.taken[number as usize * width..][..width];
        let letters = states.bytes().chain(std::iter::repeat(b'?'));
        let letter = |taken: &bool| if *taken { taken_letter } else { b'A' };
        wrong += expected
            .iter()
            .zip(letters)
            .filter(|(taken, is)| letter(taken) != *is)
            .count();
    }
    Ok(wrong as u64)
}

async fn wrong_orders(clients: &mut [Client], world: &World) -> Result<u64, Error> {
    let expected = match world.workload {
        Workload::Hold => "pending",
        Workload::Flow => "paid",
    };
    let open: Vec<(usize, String)> = world
        .state()
        .open
        .iter()
        .map(|order| (order.client, order.id.clone()))
        .collect();
    let mut wrong = 0;
    for (client, id) in open {
        let path = format!("/api/v1/orders/{id}");
        let order: OrderDocument = get(&mut clients[client], &path, "an order").await?;
        wrong += u64::from(order.status != expected);
    }
    Ok(wrong)
}

async fn get<T: for<'a> Deserialize<'a>>(
    client: &mut Client,
    path: &str,
    what: &'static str,
) -> Result<T, Error> {
    let request = Request::get(path).with_headers(&client.bearer);
    let reply = client.connection.call(&request, DEADLINE).await;
    let reply = reply.map_err(|source| Error::Call { what, source })?;
    if reply.status != 200 {
        return Err(unexpected(what, &reply));
    }
    serde_json::from_slice(reply.body).map_err(|_| unexpected(what, &reply))
}
