use super::fat_finger::random_head as random_fat_finger;
use super::slippage::random_head as random_slippage;
use super::{Head, Heads};
use crate::network::{head_shape, layers_from_bytes};

fn two() -> Heads {
    let mut heads = Heads::default();
    let Heads { slippage, fat_finger, .. } = &mut heads;
    (*slippage, *fat_finger) = (Some(random_slippage(3)), Some(random_fat_finger(3)));
    heads
}

#[test]
fn weights_survive_their_file_bit_for_bit_and_no_head_takes_anothers() {
    let heads = two();
    let (_, files) = heads.encode().unwrap();
    assert_eq!(files, heads.encode().unwrap().1);
    assert_eq!(
        files.iter().map(|file| file.0.as_str()).collect::<Vec<_>>(),
        ["slippage.safetensors", "fat_finger.safetensors"]
    );
    let layers = layers_from_bytes(&files[0].1, &head_shape("slippage")).unwrap();
    assert_eq!(Some(&layers), heads.layers(Head::Slippage));
    let error = layers_from_bytes(&files[0].1, &head_shape("fat_finger")).unwrap_err().to_string();
    assert_eq!(error, "tensor fat_finger.0.weight: not found, wanted shape [32, 26]");
}

#[test]
fn heads_that_are_not_asked_for_are_left_out() {
    let heads = two();
    let left = |asked: &[Head]| -> Vec<Head> {
        let left = heads.only(asked);
        Head::ALL.into_iter().filter(|head| left.layers(*head).is_some()).collect()
    };
    assert_eq!(left(&[Head::FatFinger]), [Head::FatFinger]);
    assert_eq!(left(&[]), []);
    assert_eq!(heads.only(&Head::ALL), heads);
}
