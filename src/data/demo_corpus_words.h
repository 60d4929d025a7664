// The words of the demo corpus: rules in the notation that demo_corpus.cpp explains.
#pragma once

#include "demo_corpus_rule.h"

namespace cria {

// The hero and the friend are always a she and a he, so a pronoun never points at two characters.
inline constexpr DemoRule kDemoWords[] = {
    {"female", "name he him his noun other", R"(
  Lily/she/her/her/girl/male | Anna/she/her/her/girl/male | Mia/she/her/her/girl/male |
  Sue/she/her/her/girl/male | Rose/she/her/her/girl/male | Molly/she/her/her/cat/male |
  Poppy/she/her/her/pig/male | Dot/she/her/her/duck/male)"},
    {"male", "name he him his noun other", R"(
  Tom/he/him/his/boy/female | Ben/he/him/his/boy/female | Sam/he/him/his/boy/female |
  Max/he/him/his/boy/female | Jack/he/him/his/boy/female | Duke/he/him/his/dog/female |
  Billy/he/him/his/bear/female | Rusty/he/him/his/fox/female)"},
    {"family", "name", R"(mom | dad | grandma | grandpa)"},

    {"nature", "name", R"(little | kind | brave | happy | clever | funny | shy | friendly)"},
    {"color", "name", R"(red | blue | green | yellow | white)"},
    {"home", "name", R"(by the sea | by the river | near the woods | on a hill)"},
    {"place", "name", R"(park | river | lake | beach | farm | garden | forest | pond)"},
    {"spot", "name", R"(
  under a tree | under a bush | behind a rock | behind a wall | near the gate | near the path |
  by the bridge | in the grass)"},

    {"activity", "name past", R"(
  sing/sang | dance/danced | run/ran | jump/jumped | laugh/laughed | play ball/played ball |
  climb trees/climbed trees | tell stories/told stories)"},
    {"skill", "name", R"(
  swim | skate | whistle | juggle | ride a bike | row a boat | fly a kite | climb a tree)"},
    {"toy", "name", R"(ball | doll | boat | drum | train | truck | robot | teddy)"},
    {"flyer", "name", R"(kite | balloon | hat | ball)"},
    {"reacher", "name", R"(stick | rope | ladder)"},
    {"treasure", "name", R"(shell | stone | flower | nut | apple | pear | plum)"},
    {"food", "name", R"(bread | cheese | soup | cake | pie | corn | rice | candy)"},
    {"baked", "name", R"(cake | pie | tart | pizza)"},
    {"baby", "name", R"(bird | kitten | puppy | rabbit | mouse | turtle)"},

    // Arithmetic is in the table: had, gave and what is left, with the endings of the two plurals.
    {"minus", "had gave left s t", R"(
  two/one/one// | three/one/two/s/ | three/two/one//s | four/one/three/s/ | four/two/two/s/s |
  five/two/three/s/s | five/three/two/s/s | six/three/three/s/s)"},
};

}  // namespace cria
