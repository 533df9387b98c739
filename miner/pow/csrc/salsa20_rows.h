/* Salsa20 on vectors in which every 128 bits are one of the four rows of a block in the order of its diagonals
 * (salsa20.h). The including file defines V, ADD32(a, b), XOR_ROTATED(x, y, n), which is x xor (y rotated left by n),
 * and TURN(x, n), which moves the words of every 128 bits n places down, so that word n becomes the first.
 */
#define SALSA20_ADD_ROTATE_XOR(x, a, b, n) x = XOR_ROTATED(x, ADD32(a, b), n)

/* A column round and a row round of the rows a to d; EACH(statement) does a statement for each of the blocks that take
 * turns. */
#define SALSA20_DOUBLE_ROUND(EACH, a, b, c, d)                 \
  do {                                                         \
    EACH(SALSA20_ADD_ROTATE_XOR(b, a, d, 7));                  \
    EACH(SALSA20_ADD_ROTATE_XOR(c, b, a, 9));                  \
    EACH(SALSA20_ADD_ROTATE_XOR(d, c, b, 13));                 \
    EACH(SALSA20_ADD_ROTATE_XOR(a, d, c, 18));                 \
    EACH((b = TURN(b, 3), c = TURN(c, 2), d = TURN(d, 1)));    \
    EACH(SALSA20_ADD_ROTATE_XOR(d, a, b, 7));                  \
    EACH(SALSA20_ADD_ROTATE_XOR(c, d, a, 9));                  \
    EACH(SALSA20_ADD_ROTATE_XOR(b, c, d, 13));                 \
    EACH(SALSA20_ADD_ROTATE_XOR(a, b, c, 18));                 \
    EACH((b = TURN(b, 1), c = TURN(c, 2), d = TURN(d, 3)));    \
  } while (0)
