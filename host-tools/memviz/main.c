#include <memviz/command.h>

int main(int argc, char **argv)
{
	return memviz_main(argc, argv);
}
