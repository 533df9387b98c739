/* A vector of one 32-bit word, for the files that are written for vectors of any number of them. */
typedef uint32_t word;
#define WORDS 1
#define V word
#define SET1(x) ((word)(x))
#define ADD32(a, b) ((a) + (b))
#define XOR(a, b) ((a) ^ (b))
#define AND(a, b) ((a) & (b))
#define SHR32(x, n) ((x) >> (n))
#define ROTR32(x, n) pow_rotr32(x, n)
#define ROTL32(x, n) pow_rotl32(x, n)
#define CH(e, f, g) XOR(g, AND(e, XOR(f, g)))
