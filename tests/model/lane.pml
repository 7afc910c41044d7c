/* A lane: one writer, one reader, a ring of shared memory between them, and a socket pair that
 * carries doorbells, descriptors and the end of either side. What each step stands for is named as
 * in ring.hpp (RingWriter, RingReader), lane.hpp (SendRight, ReceiveRight), link_socket.hpp
 * (LinkSocket), link_sender.hpp (send, flush), link_receiver.hpp (receive) and channel_core.hpp
 * (poll, sleep, update_wait_set).
 *
 * The socket pair is that of the other way's lane, too. So a reader finds doorbells there that were
 * not for it, and takes them in; and what was to wake the writer may be taken in by the half of its
 * side that receives, at any time before the writer asks for another one.
 *
 * Checked: no side sleeps for ever while there is something for it to do (an invalid end state);
 * every record is received once, in order, undamaged; all that was published before the writer's
 * end is received before the reader reports it; neither the ring nor its head run over.
 *
 * Memory is weaker than any processor's: the stores of a side become visible late and in any order,
 * except that a release store waits for those before it, and an exchange for all. Loads happen
 * where they stand: all that matter are acquires or follow one.
 *
 * DEATH: a side is killed, or closes, at any step.
 * OTHER_LANE: a doorbell that is not for the reader comes at any time.
 * EXTERNAL: both sides sleep in a loop of the user's own, on `native_handle`.
 * BREAK_...: one thing is done wrong, and the checker has to notice.
 */
#ifndef RECORDS
#define RECORDS 3                       /* so many of all kinds */
#endif
#ifndef LONG_RECORDS
#define LONG_RECORDS 3                  /* or so many that soon fill the ring */
#endif
#ifndef TIME_OUTS
#define TIME_OUTS 0                     /* how often the reader wakes for no reason: 0 or 1 */
#endif
#define CAPACITY 8                      /* words; a record is a header and up to two more */
/* The reader shows its head after an eighth of the ring, or a record with descriptors. An eighth of
 * so small a ring would be every record, so here it may show its head whenever it likes, and has to
 * after a quarter: all that the code does is among that. */
#ifdef BREAK_RELEASE_SPACE
#define LATEST 255
#else
#define LATEST (CAPACITY / 4)
#endif
#define AT(position) ((position) % CAPACITY)
#define NOTHING 255

#define DOORBELL 0
#define DESCRIPTOR 1

/* enum class Doorbell */
#define NONE 0
#define SOCKET 1
#define FUTEX 2

/* A header word says all that the reader checks; 0 is no header. A body's words follow it. */
#define HEADER(number, size, rights) (1 + (size) + 4 * (rights) + 8 * (number))
#define BODY(number) (128 + (number))

/* Shared memory, and the stores that are on their way to it. */
byte ring[CAPACITY];
byte delayed[CAPACITY] = NOTHING;       /* of the writer, to the ring */
byte release_at = NOTHING;              /* which of them is a release store */
byte shown_head;                        /* RingControl::head */
byte delayed_head = NOTHING;            /* of the reader, to shown_head */
byte reader_asleep;                     /* RingControl's: NONE, SOCKET or FUTEX */
bit writer_asleep;
bool futex_woken;                       /* FUTEX_WAKE came while the reader slept in FUTEX_WAIT */
bool in_futex;
bit delayed_reader_asleep, delayed_writer_asleep;  /* only where an exchange is left out */

/* The socket pair. Packets stay readable when their sender has gone. */
chan to_reader = [2] of { bit };
chan to_writer = [1] of { bit };
bool writer_gone, reader_gone;

/* What the checks alone need to know. */
byte published, received, head;         /* head: RingReader::head_ */
bool writer_content;                    /* has sent all that it wanted to, and lives */
bool kill_writer, kill_reader;

#define UNDER_WAY(i) (delayed[i] != NOTHING)
#define OTHERS_UNDER_WAY(i) (UNDER_WAY((i + 1) % 8) || UNDER_WAY((i + 2) % 8) || \
    UNDER_WAY((i + 3) % 8) || UNDER_WAY((i + 4) % 8) || UNDER_WAY((i + 5) % 8) || \
    UNDER_WAY((i + 6) % 8) || UNDER_WAY((i + 7) % 8))
#define ARRIVES(i) \
  :: atomic { UNDER_WAY(i) && (release_at != i || !OTHERS_UNDER_WAY(i)) -> \
       ring[i] = delayed[i]; delayed[i] = NOTHING; \
       if :: release_at == i -> release_at = NOTHING :: else fi }

active proctype Memory() {
end:
  do
  ARRIVES(0) ARRIVES(1) ARRIVES(2) ARRIVES(3) ARRIVES(4) ARRIVES(5) ARRIVES(6) ARRIVES(7)
  :: atomic { delayed_head != NOTHING -> shown_head = delayed_head; delayed_head = NOTHING }
  :: atomic { delayed_reader_asleep -> reader_asleep = SOCKET; delayed_reader_asleep = 0 }
  :: atomic { delayed_writer_asleep -> writer_asleep = 1; delayed_writer_asleep = 0 }
  od
}

#ifdef DEATH
active proctype Death() {
  if :: kill_writer = true :: kill_reader = true fi
}
#endif

/* What an exchange, a system call or the end of a process does first. */
inline writers_stores_arrive() {
  for (i : 0 .. CAPACITY - 1) {
    if :: UNDER_WAY(i) -> ring[i] = delayed[i]; delayed[i] = NOTHING :: else fi
  }
  i = 0; release_at = NOTHING
}
inline readers_stores_arrive() {
  if :: delayed_head != NOTHING -> shown_head = delayed_head; delayed_head = NOTHING :: else fi
}

/* --- the writer --------------------------------------------------------------------------------*/

/* LinkSocket::ring_doorbell: MSG_DONTWAIT, and if the socket is full, it is readable, too. */
inline ring_doorbell(socket, gone) {
  atomic { if :: gone || full(socket) :: !gone && nfull(socket) -> socket!DOORBELL fi }
}

/* RingWriter::reserve */
#ifdef BREAK_WORD_BEHIND
#define NEEDED size
#else
#define NEEDED (size + 1)
#endif
inline reserve() {
  atomic {
    if
    :: CAPACITY - (tail - seen_head) < NEEDED ->
       assert(shown_head <= tail && shown_head >= seen_head && tail - shown_head <= CAPACITY);
       seen_head = shown_head
    :: else
    fi;
    room = CAPACITY - (tail - seen_head) >= NEEDED
  }
}

/* RingWriter::stage, after the body was written. */
inline stage() {
  d_step {
    assert(tail + size - head < CAPACITY);   /* nothing unread is overwritten */
    if :: size > 1 -> delayed[AT(tail + 1)] = BODY(taken) :: else fi;
#ifndef BREAK_ZERO
    delayed[AT(tail + size)] = 0;
#endif
#ifdef BREAK_BATCH
    if :: staged != 0 -> delayed[AT(staged_at)] = staged_word :: else fi;
    staged_at = tail; staged_word = HEADER(taken, size, rights);
#else
    if
    :: staged == 0 -> staged_at = tail; staged_word = HEADER(taken, size, rights)
    :: else -> delayed[AT(tail)] = HEADER(taken, size, rights)
    fi;
#endif
    staged++; taken++;
    tail = tail + size;
    size = 0; rights = 0
  }
}

/* RingWriter::publish, SendRight::publish */
inline publish() {
  if
  :: staged != 0 ->
     atomic {
       release_at == NOTHING;
       delayed[AT(staged_at)] = staged_word;
#ifndef BREAK_RELEASE
       release_at = AT(staged_at);
#endif
       published = published + staged;
       staged = 0; staged_at = 0; staged_word = 0
     }
#ifdef BREAK_PUBLISH
     atomic { wanted = reader_asleep; if :: wanted -> reader_asleep = NONE :: else fi }
#else
     d_step { writers_stores_arrive(); wanted = reader_asleep; reader_asleep = NONE }
#endif
     if
     :: wanted == SOCKET -> wanted = NONE; ring_doorbell(to_reader, reader_gone)
     :: wanted == FUTEX -> wanted = NONE; d_step { if :: in_futex -> futex_woken = true :: else fi }
     :: else
     fi
  :: else
  fi
}

/* Short and long ones, with and without descriptors. */
inline choose_record() {
  if
  :: size == 0 -> if :: !only_long -> size = 1 :: size = 3 :: !only_long -> size = 2; rights = 1 fi
  :: else
  fi
}

/* LinkSender::flush, and send with a queue of one. A batch is shown together or in parts. */
inline flush() {
  do
  :: atomic { taken != made -> choose_record() };
     if :: rights -> publish() :: else fi;
     atomic { reserve(); if :: room && !rights -> stage() :: else fi };
     if
     :: !room -> publish(); break
     :: room && size != 0 ->
        /* SendRight::send: the descriptors first */
#ifdef BREAK_DESCRIPTOR
        stage(); publish();
#endif
        atomic {
          if :: reader_gone -> goto finished :: else fi;
          if
          :: full(to_reader) -> socket_full = true
          :: nfull(to_reader) -> socket_full = false; to_reader!DESCRIPTOR
          fi
        }
#ifndef BREAK_DESCRIPTOR
        if :: socket_full -> break :: else fi;
        stage(); publish()
#endif
     :: room && size == 0 -> if :: publish() :: true fi
     fi
  :: else -> publish(); break
  od
}

/* ReceiveRight::arm */
inline other_half_takes_packet() {
  if :: atomic { nempty(to_writer) -> to_writer?_ } :: true fi
}

/* BasicMachTransport::arm, the receiving half first; SendRight::arm, RingWriter::arm */
inline arm_for_room() {
#ifndef BREAK_ARM_ORDER
  other_half_takes_packet();
#endif
  if
  :: socket_full -> ready = false
  :: else ->
#ifdef BREAK_ARM_FOR_ROOM
     delayed_writer_asleep = 1;
#else
     d_step { writers_stores_arrive(); writer_asleep = 1 }
#endif
#ifdef BREAK_RECHECK_ROOM
     ready = false
#else
     reserve(); ready = room
#endif
  fi
#ifdef BREAK_ARM_ORDER
  ; other_half_takes_packet()
#endif
}

/* ReceiveRight::take_doorbells of the other half, SendRight::take_doorbells */
inline take_doorbells_of_writer() {
  atomic {
    do :: nempty(to_writer) -> to_writer?_ :: empty(to_writer) -> break od;
    if :: reader_gone -> goto finished :: else fi
  }
}

/* SendRight::interest; the socket counts as writable only when a lot of it is free. */
#define WOKEN(full) (nempty(to_writer) || reader_gone || (full && empty(to_reader)))

/* Channel::update_wait_set */
inline update_wait_set() {
  arm_for_room();
  watching = socket_full
}

/* LinkWaiter::await_room. Until::room: after an arm that is content it tries again, and waits only if that
 * was in vain; what comes from the peer (`incoming`) may have made it content. */
inline sleep_for_room() {
#ifdef BREAK_ARM_BOTH
  if :: arm_for_room() :: true fi;
#else
  arm_for_room();
#endif
  if
  :: ready                       /* Until::message: back to poll */
  :: !ready -> (WOKEN(socket_full))
#ifdef BREAK_FLUSH_FOR_ROOM
  :: true -> (WOKEN(socket_full))
#else
  :: before = taken; flush(); if :: taken != before :: else -> (WOKEN(socket_full)) fi; before = 0
#endif
  fi;
  take_doorbells_of_writer()
}

active proctype Writer() {
  byte records;                          /* to be sent */
  byte made, taken, staged;              /* given to send, put in the ring, not yet shown */
  byte tail, seen_head, staged_at, staged_word, size, before, i;
  byte wanted;
  bit rights;
  bool only_long, room, ready, socket_full;
#ifdef EXTERNAL
  bool watching;                         /* the wait set's interest in room in the socket */
#endif
  if :: records = RECORDS :: records = LONG_RECORDS; only_long = true fi;
  {
    /* Channel::connected: what was sent before is a batch. */
    do :: made < records -> made++ :: break od;
    flush();
#ifdef EXTERNAL
    if :: taken != made -> update_wait_set() :: else fi;
#endif
    do
#ifndef EXTERNAL
    :: made < records -> made++; flush()  /* Channel::send */
    :: taken != made -> sleep_for_room(); flush()  /* Channel::flush, wait */
#else
    :: made < records ->                 /* Channel::send: it arms for the first that is queued */
       before = (taken == made);
       made++; flush();
#ifndef BREAK_SEND
       if :: before && taken != made -> update_wait_set() :: else fi;
#endif
       before = 0
    :: taken != made -> sleep_for_room(); flush();  /* Channel::flush */
#ifndef BREAK_FLUSH_OF_WRITER
       if :: taken != made -> update_wait_set() :: else fi
#endif
    :: taken != made ->                  /* the user's loop, Channel::poll */
       if :: ready :: !ready -> (WOKEN(watching)) fi;
       flush(); take_doorbells_of_writer();
       if :: taken != made -> update_wait_set() :: else fi
#endif
    :: taken == made -> writer_content = true; break
    od;
end_content:
    false
  } unless { kill_writer };
finished:
  atomic { writers_stores_arrive(); writer_content = false; writer_gone = true }
}

#ifdef OTHER_LANE
/* The lane of the other way: its reader tells its writer, on this one's reader's side, that there is
 * room. */
active proctype OtherLane() {
end:
  ring_doorbell(to_reader, reader_gone)
}
#endif

/* --- the reader --------------------------------------------------------------------------------*/

/* LinkSocket::take_packet */
inline take_packet() {
  atomic {
    got = nempty(to_reader);
    if
    :: got -> to_reader?packet; descriptors = descriptors + packet; packet = 0
    :: else -> ended = ended || writer_gone
    fi
  }
}

/* RingReader::pop, release_space, ReceiveRight::pop */
inline pop() {
  if
  :: atomic { last_shown = head; delayed_head = head };
#ifdef BREAK_EXCHANGE_IN_POP
     atomic { asleep = writer_asleep; if :: asleep -> writer_asleep = 0 :: else fi }
#else
     d_step { readers_stores_arrive(); asleep = writer_asleep; writer_asleep = 0 }
#endif
     if :: asleep -> asleep = 0; ring_doorbell(to_writer, writer_gone) :: else fi
  :: head - last_shown < LATEST
  fi
}

/* ReceiveRight::peek found a header, and it is the next one; the body is copied; pop has begun. */
inline copy_out() {
  word = ring[AT(head)] - 1;
  assert(word < 127 && word / 8 == received);
  needs_rights = word / 4 % 2; length = word % 4;
  assert(length == 1 || ring[AT(head + 1)] == BODY(received));
  head = head + length; received++;
  word = 0; length = 0
}

/* ReceiveRight::take_descriptors: `malformed` if the descriptor is not there. */
inline take() {
  do
  :: descriptors == 0 -> take_packet(); assert(got); got = false
  :: else -> break
  od;
  descriptors--; needs_rights = 0
}

/* LinkReceiver::receive, ReceiveRight::peek. It may stop early: fair_share, stop(). */
inline receive() {
  do
#ifdef BREAK_END
  :: ended -> goto closed
#endif
  :: ring[AT(head)] == 0 -> if :: ended -> goto closed :: else -> break fi
  :: atomic { ring[AT(head)] != 0 -> copy_out() };
     pop();
     handled = true;
     if :: needs_rights -> take() :: else fi;
     if :: break :: true fi
  od
}

/* ReceiveRight::arm, RingReader::arm */
inline arm() {
  if :: due -> take_packet(); due = !got; got = false :: else fi;
  if
  :: ended -> ready = true
  :: else ->
#ifdef BREAK_ARM
     delayed_reader_asleep = 1;
#else
     d_step { readers_stores_arrive(); reader_asleep = SOCKET }
#endif
#ifdef BREAK_RECHECK
     ready = false
#else
     ready = ring[AT(head)] != 0
#endif
  fi
}

/* ReceiveRight::disarm, RingReader::disarm */
inline disarm() {
  d_step {
    readers_stores_arrive();
    rung = reader_asleep == NONE; reader_asleep = NONE;
    due = due || (rung && !futex_rung); futex_rung = false
  }
}

/* ReceiveRight::take_doorbells */
inline take_doorbells() {
  due = false;
  do :: !ended -> take_packet(); if :: got :: else -> break fi :: else -> break od;
  got = false
}

/* A reader that sleeps while nothing is left to read and nothing is sent any more is at its end. */
#define NOTHING_LEFT (writer_content && received == published && empty(to_reader))
inline block() {
  if
  :: nempty(to_reader) || writer_gone
  :: NOTHING_LEFT -> goto content
  :: may_time_out -> may_time_out = false     /* the caller's patience ends, a signal comes */
  fi
}

/* RingReader::change_doorbell */
inline change_doorbell(from, to) {
  d_step {
    readers_stores_arrive();
    changed = reader_asleep == from;
    if :: changed -> reader_asleep = to :: else fi
  }
}

/* ReceiveRight::wait: a futex first, the socket when that takes long. */
inline wait() {
  change_doorbell(SOCKET, FUTEX);
  if
  :: !changed
  :: changed ->
#ifdef BREAK_FUTEX
     in_futex = true;                    /* without a look whether the word is still as expected */
#else
     d_step { if :: reader_asleep == FUTEX -> in_futex = true :: else fi };
#endif
     if
     :: !in_futex || futex_woken
     :: in_futex && (reader_asleep == FUTEX || writer_gone)
                                         /* its time is up; but who rings, and lives, has to wake it */
     :: may_time_out -> may_time_out = false     /* or was up just before that */
     fi;
     d_step { in_futex = false; futex_woken = false };
     change_doorbell(FUTEX, SOCKET);
     futex_rung = !changed;
     if :: changed -> block() :: else fi
  fi;
  changed = false
}

/* LinkWaiter::sleep: a brief sleep and then a long one, before which it asks again. */
inline sleep() {
  arm();
  if
  :: ready
  :: else ->
     wait();
     if
     :: ring[AT(head)] != 0
     :: else ->
#ifndef BREAK_LONG_SLEEP
        arm();
#endif
        if :: ready :: else -> block() fi
     fi
  fi;
  disarm();
  ready = false;
  if :: ring[AT(head)] == 0 -> take_doorbells() :: else fi
}

active proctype Reader() {
  byte last_shown, word, length, descriptors;
  bit packet, needs_rights, asleep;
  bool due, rung, futex_rung, changed, ended, ready, got, handled, may_time_out = TIME_OUTS;
  {
#ifdef EXTERNAL
    arm();                               /* Channel::native_handle */
    do
    :: sleep()                           /* a wait or a flush of the user's in between */
#ifndef BREAK_FLUSH
       ; arm()
#endif
    :: if :: ready :: !ready -> block() fi;   /* ready: WaitSet::nudge */
       /* Channel::poll */
       disarm();
       receive();
       if :: !handled || rung -> take_doorbells() :: else fi;
       handled = false; rung = false;
       arm()                             /* update_wait_set */
    od
#else
    do
    :: receive();
       if
       :: handled -> handled = false
       :: else ->
          if :: take_doorbells() :: true fi;   /* every 64th poll in vain */
          sleep()
       fi
    od
#endif
  } unless { kill_reader };
  goto gone;
closed:
  assert(received == published);
gone:
  atomic { readers_stores_arrive(); reader_gone = true; goto done }
content:
end_content:
  false;
done:
  skip
}
