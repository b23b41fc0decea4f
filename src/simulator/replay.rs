//! x
pub struct Replay;
impl Replay { pub fn account(&self)->super::msp::Msp{super::msp::Msp::made_up()} pub fn play(&mut self,_:&mut super::world::World,_:chrono::DateTime<chrono::Utc>){} }
